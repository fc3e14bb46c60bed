# The image of kuberay-rayjob.yaml, kubeflow-trainjob.yaml and kubeflow-pytorchjob.yaml, in a clone of the repository:
#   docker build -f docs/deploy/cluster.Dockerfile -t registry.example.com/metaglot-cluster .
# Ray's own image has what KubeRay asks of one; the version is that of constraints.txt and of rayVersion in the RayJob.
FROM rayproject/ray:2.60.0-py312

COPY --chown=ray:users . /home/ray/source
RUN pip install --no-cache-dir --constraint /home/ray/source/constraints.txt '/home/ray/source[ray]'
WORKDIR /shared
