"""Watches a network of one's own while it learns digits, and diagnoses it: `python -m examples.watch_digits`."""

import torch
from torch import nn

import bnviz
from bnviz.data import load

torch.manual_seed(0)
digits = load()
images = torch.tensor(digits.train_images).float().view(-1, 1, 28, 28) / 255
labels = torch.tensor(digits.train_labels).long()
model = nn.Sequential(
    *(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(8, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(400, 10)),
)
optimizer, criterion = torch.optim.SGD(model.parameters(), 0.1), nn.CrossEntropyLoss()

with bnviz.watch(model, optimizer=optimizer, name="two convolutions", classes=10) as observer:
    for chosen in torch.randint(len(images), (200, 32)):
        loss = criterion(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        observer.step(loss)

batches = [(images[k : k + 32], labels[k : k + 32]) for k in range(0, 128, 32)]
print(bnviz.diagnose(model, batches, criterion, optimizer))
