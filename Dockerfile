# hgld[all], run by a user without root. A build is kept in /home/hgld/build.
#   docker build -t hgld .                          # torch for the CPU
#   docker build -t hgld --build-arg TORCH=cuda .   # torch for NVIDIA GPUs; run it with --gpus all
#   docker run --rm hgld hgld demo
#   docker run --rm -v hgld:/home/hgld/build hgld hgld build --contact you@example.org
FROM python:3.11-slim

ARG TORCH=cpu

WORKDIR /src
COPY requirements.lock .
# PyPI's torch for Linux is the one for CUDA, and brings 3 GB of libraries. The one for the CPU is on PyTorch's own
# index, which the lock has no hashes of: it is installed first, and the lock then finds torch there.
RUN if [ "$TORCH" = cpu ]; then \
      grep -oE '^torch(vision)?==[0-9.]+' requirements.lock > torch.txt \
      && awk '/^[a-z]/ { kept = !/^(cuda|nvidia|triton)/ } kept' requirements.lock > cpu.lock \
      && mv cpu.lock requirements.lock \
      && pip install --no-cache-dir --no-deps --index-url https://download.pytorch.org/whl/cpu -r torch.txt; \
    fi \
    && pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY hgld hgld
COPY training training
COPY benchmarks benchmarks
COPY flows flows
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && pip check \
    && useradd --create-home --uid 1000 hgld \
    && install --directory --owner hgld /home/hgld/build /home/hgld/.prefect

# Where Prefect finds its deployments.
WORKDIR /home/hgld
COPY prefect.yaml prefect.toml ./
COPY flows/jobs.py flows/

USER 1000
ENV DO_NOT_TRACK=1 PYTHONUNBUFFERED=1
CMD ["hgld", "--help"]
