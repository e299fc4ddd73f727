"""What a server counts, for Prometheus: every counter and histogram of this process, in one table."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

UPDATES = Counter("bnviz_updates", "News that were sent to browsers.", registry=REGISTRY)
NEWS_SECONDS = Histogram(
    "bnviz_news_seconds",
    "Seconds from the moment when there are news and a browser that asks for them, to the answer.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
STEPS = Counter("bnviz_steps", "Steps of live runs that were trained; those of a film count once.", registry=REGISTRY)
REPLAYS = Counter("bnviz_replays", "Trainers that were brought to where a lost one was.", registry=REGISTRY)
REFUSALS = Counter("bnviz_refusals", "What visitors were refused, by the reason.", ["why"], registry=REGISTRY)
for _why in ("full", "value", "rate"):
    REFUSALS.labels(_why)  # so that each is there with 0 before the first
