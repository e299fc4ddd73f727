FROM python:3.13-slim

# The wheels on this index carry no GPU libraries, most of the size. Empty: take torch where everything else comes from,
# which on Linux brings the CUDA build: docker build --build-arg TORCH_INDEX= .
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# A fixed, numeric id, so that an orchestrator can see that this is not root. /data is where data sets are downloaded
# to and runs are kept; mount a volume there to keep them, or leave it: MNIST is always there.
RUN useradd --create-home --uid 10001 bnviz \
    && install -d -o bnviz -g bnviz /data

WORKDIR /app
COPY requirements.lock requirements-torch.lock install.sh ./
# In an environment of its own, where no package of the system's stands in the way of a locked one.
# pip's byte-compiling stays on: the user cannot write it later, and torch without it starts seconds slower.
RUN python -m venv /opt/bnviz && PIP_NO_CACHE_DIR=1 TORCH_INDEX="$TORCH_INDEX" sh install.sh /opt/bnviz/bin/python requirements.lock
ENV PATH=/opt/bnviz/bin:$PATH

# Readable whatever the umask of the checkout, and written by nobody.
COPY . .
RUN chmod -R a+rX .

# The code is found from any process and folder (PYTHONPATH: workers are processes of their own).
# Streamlit: listen on every interface of the container, ask nothing and report nothing, watch no files (they never
# change here), refuse requests forged by other sites, and show visitors no tracebacks (they go to the log). A named
# browser address keeps it from asking a server on the internet for the machine's own, only to print it.
ENV HOME=/home/bnviz \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BNVIZ_DATA_DIR=/data \
    BNVIZ_DATABASE=sqlite:////data/runs.sqlite \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    STREAMLIT_SERVER_ENABLE_CORS=true \
    STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=true \
    STREAMLIT_BROWSER_GATHER_USAGE_STATS=false \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    STREAMLIT_CLIENT_SHOW_ERROR_DETAILS=none

USER 10001:10001
EXPOSE 8501

# http.client, because urllib would send this through a proxy set in the environment.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['STREAMLIT_SERVER_PORT']), timeout=4); c.request('GET', '/_stcore/health'); sys.exit(c.getresponse().status != 200)"]

# Streamlit is the container's first process (exec form, no shell before it), so the signal reaches it and it closes
# its sessions and its cluster.
STOPSIGNAL SIGTERM
CMD ["python", "-m", "streamlit", "run", "app.py"]
