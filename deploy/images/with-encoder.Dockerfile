# A worker image with another base encoder baked in. The build's context is the model's folder:
#
#   docker build -f deploy/images/with-encoder.Dockerfile \
#       --build-arg WORKER_IMAGE=jobsentinel-worker:0.1.0 -t jobsentinel-worker-minilm12:0.1.0 FOLDER
ARG WORKER_IMAGE=jobsentinel-worker:0.1.0
# checkov:skip=CKV_DOCKER_2:the worker's image has it
# checkov:skip=CKV_DOCKER_3:the worker's image has it
# checkov:skip=CKV_DOCKER_7:the tag is in WORKER_IMAGE, which checkov does not read
FROM ${WORKER_IMAGE}
COPY . /models/encoder
ENV JOBSENTINEL_ENCODER_PATH=/models/encoder
