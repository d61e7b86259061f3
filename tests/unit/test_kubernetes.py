"""The manifests in `cron/kubernetes` and the Dockerfile: valid, in step with the program, and harmless as shipped."""

import copy
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cleanup import __version__
from cleanup.api.session import DRAIN_SECONDS
from cleanup.cli.options import command_of, parse
from cleanup.records.call import PATIENCE_SECONDS
from cleanup.settings.sources import Loaded
from cleanup.settings.table import all_settings
from tests.as_shipped import CRON, FOR_GOOD, ROOT, files_of, loaded_from, minute_of_day

KUBERNETES = CRON / "kubernetes"
OVERLAYS = ("list", "sweep", "indexed")
MANIFESTS = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
KUSTOMIZATIONS = sorted(KUBERNETES.rglob("kustomization.yaml"))
KUBECTL = shutil.which("kubectl")


def read(path: Path) -> Any:
    """A YAML file of one document."""
    return yaml.safe_load(path.read_text())


# ---- what kustomize makes of an overlay, as far as ours go


def build(folder: Path) -> list[dict[str, Any]]:
    """The manifests of a kustomization: resources, generated ConfigMaps, patches, images."""
    kustomization = read(folder / "kustomization.yaml")
    documents: list[dict[str, Any]] = []
    for resource in kustomization["resources"]:
        place = folder / resource
        documents += build(place) if place.is_dir() else [read(place)]
    for wanted in kustomization.get("configMapGenerator", []):
        data = dict(literal.split("=", 1) for literal in wanted.get("literals", []))
        data |= {name: (folder / name).read_text() for name in wanted.get("files", [])}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": wanted["name"]}, "data": data})
    for patch in kustomization.get("patches", []):
        for document in documents:
            if document["kind"] == patch["target"]["kind"]:
                for operation in yaml.safe_load(patch["patch"]):
                    apply(document, operation)
    for image in kustomization.get("images", []):
        for container in (container for pod in map(pod_of, documents) if pod for container in pod["containers"]):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return documents


def apply(document: Any, operation: dict[str, Any]) -> None:
    """One operation of a JSON patch."""
    *way, last = operation["path"].strip("/").split("/")
    for step in way:
        document = document[int(step)] if isinstance(document, list) else document[step]
    if operation["op"] == "add" and last == "-":
        document.append(operation["value"])
    else:
        assert operation["op"] == "replace"
        assert last in document, "what is replaced must be there"
        document[last] = operation["value"]


def pod_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The pod that a Job or CronJob starts."""
    job = job_of(document)
    pod: dict[str, Any] | None = None if job is None else job["template"]["spec"]
    return pod


def job_of(document: dict[str, Any]) -> dict[str, Any] | None:
    """The Job that a document is, or starts."""
    spec: dict[str, Any] | None = document.get("spec")
    match document["kind"], spec:
        case "CronJob", dict():
            job: dict[str, Any] = spec["jobTemplate"]["spec"]
            return job
        case "Job", dict():
            return spec
    return None


@cache
def _rendered(overlay: str, renderer: str) -> list[dict[str, Any]]:
    if renderer == "here":
        return build(KUBERNETES / overlay)
    assert KUBECTL is not None
    command = [KUBECTL, "kustomize", str(KUBERNETES / overlay)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return list(yaml.safe_load_all(output))


@dataclass
class Overlay:
    """An overlay, built."""

    name: str
    documents: list[dict[str, Any]]

    @property
    def workload(self) -> dict[str, Any]:
        """The one Job or CronJob."""
        (found,) = (document for document in self.documents if job_of(document))
        return found

    @property
    def job(self) -> dict[str, Any]:
        """Its Job's spec."""
        job = job_of(self.workload)
        assert job is not None
        return job

    @property
    def pod(self) -> dict[str, Any]:
        """Its pod's spec."""
        pod: dict[str, Any] = self.job["template"]["spec"]
        return pod

    @property
    def container(self) -> dict[str, Any]:
        """Its only container."""
        (container,) = self.pod["containers"]
        found: dict[str, Any] = container
        return found

    def settings_map(self) -> dict[str, str]:
        """What the overlay's own ConfigMap sets."""
        maps = {document["metadata"]["name"]: document for document in self.documents}
        found: dict[str, str] = {}
        for source in self.container["envFrom"]:
            found |= maps[source["configMapRef"]["name"]]["data"]
        return found

    def loaded(self, home: Path, index: int = 0, **more: str) -> Loaded:
        """The settings as the program reads them in the pod."""
        environ = {"JOB_COMPLETION_INDEX": str(index), "SMALLEST_API_KEY": ""} | self.settings_map()
        for entry in self.container["env"]:
            environ[entry["name"]] = entry.get("value", "https://monitor.example/slug")
        argv = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in self.container["args"]]
        return loaded_from(argv, environ | more, home)


@pytest.fixture(params=["here", "kubectl"])
def renderer(request: pytest.FixtureRequest) -> str:
    """Our own few lines, and the real kustomize where there is one."""
    if request.param == "kubectl" and KUBECTL is None:
        pytest.skip("no kubectl on this machine")
    return str(request.param)


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest, renderer: str) -> Overlay:
    """Each overlay as it would be applied."""
    return Overlay(request.param, copy.deepcopy(_rendered(request.param, renderer)))


# ---- Kubernetes


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_every_manifest_is_valid_by_itself(path: Path, version: str) -> None:
    """Held strictly against the schemas of the oldest version that knows all of it, and of the newest."""
    kubernetes_validate.validate(read(path), version, strict=True)


def test_what_is_applied_is_valid(overlay: Overlay) -> None:
    """After patches and generators too: a workload, its claim, its settings, and a list within 1 MiB."""
    for document in overlay.documents:
        kubernetes_validate.validate(document, "1.29", strict=True)
    kinds = sorted(document["kind"] for document in overlay.documents)
    workload = "Job" if overlay.name == "indexed" else "CronJob"
    maps = 1 if overlay.name == "sweep" else 2
    assert kinds == sorted(["PersistentVolumeClaim", workload, *["ConfigMap"] * maps])


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_files_that_exist(path: Path) -> None:
    """Resources, and the files that ConfigMaps are made of; and no file beside it is left out."""
    kustomization = read(path)
    named = list(kustomization["resources"])
    named += [name for wanted in kustomization.get("configMapGenerator", []) for name in wanted.get("files", [])]
    for name in named:
        assert (path.parent / name).exists(), name
    beside = {file.name for file in path.parent.iterdir() if file.is_file() and file.name != "kustomization.yaml"}
    assert beside <= set(named)


def test_every_name_in_a_pod_is_of_something_that_is_there(overlay: Overlay) -> None:
    """Volumes are mounted, claims and ConfigMaps are among what is applied; only the Secret is not."""
    names = {(document["kind"], document["metadata"]["name"]) for document in overlay.documents}
    volumes = {volume["name"]: volume for volume in overlay.pod["volumes"]}
    assert set(volumes) == {mount["name"] for mount in overlay.container["volumeMounts"]}
    for volume in volumes.values():
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names
    assert volumes["secrets"]["secret"]["secretName"] == "draft-cleanup"
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o400
    assert overlay.pod["securityContext"]["fsGroup"] == overlay.pod["securityContext"]["runAsGroup"]


def test_exit_codes_mean_to_a_job_what_they_mean_to_the_program(overlay: Overlay) -> None:
    """What another run may mend is retried, everything else fails the Job (or the index), a disruption is neither."""
    disruption, *rules = overlay.job["podFailurePolicy"]["rules"]
    assert disruption == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    actions: dict[int, str] = {}
    for rule in rules:
        found = rule["onExitCodes"]
        assert (found["operator"], found["containerName"]) == ("In", overlay.container["name"])
        assert not set(found["values"]) & set(actions)
        actions |= dict.fromkeys(found["values"], rule["action"])
    assert set(actions) == FOR_GOOD
    assert {action for code, action in actions.items() if code not in (3, 4)} == {"FailJob"}
    assert {actions[3], actions[4]} == {"FailIndex" if overlay.name == "indexed" else "FailJob"}
    assert overlay.pod["restartPolicy"] == "Never"
    retries: int = overlay.job.get("backoffLimitPerIndex") or overlay.job["backoffLimit"]
    assert retries >= 1


def test_there_is_time_to_end_well(overlay: Overlay, tmp_path: Path) -> None:
    """After SIGTERM there is room for the drain and the last words, and these are the pod's message."""
    assert overlay.pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS + 2 * PATIENCE_SECONDS + 10
    assert overlay.container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert overlay.loaded(tmp_path).settings.limits.deadline is not None


def test_every_attempt_ends_by_its_own_deadline(overlay: Overlay, tmp_path: Path) -> None:
    """`activeDeadlineSeconds` is for all of a Job's pods together: each attempt's time, and the waits between them."""
    deadline = overlay.loaded(tmp_path).settings.limits.deadline
    assert deadline is not None
    retries = overlay.job.get("backoffLimitPerIndex") or overlay.job["backoffLimit"]
    waits = sum(min(360, 10 * 2**number) for number in range(retries))
    one_after_the_other = (1 + retries) * (deadline + overlay.pod["terminationGracePeriodSeconds"]) + waits
    room = overlay.job["activeDeadlineSeconds"] - one_after_the_other
    assert 900 < room < 3600, "for nodes that have to be found, images to be pulled, and attempts that do not count"


def test_the_patch_on_the_page_is_enough_for_two_hours() -> None:
    """Its operation is one that an overlay takes, and its seconds are enough for attempts of two hours."""
    (operation,) = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", (CRON / "README.md").read_text(), re.DOTALL)[0])
    overlay = Overlay("list", copy.deepcopy(_rendered("list", "here")))
    apply(overlay.workload, operation)
    assert overlay.job["activeDeadlineSeconds"] > 4 * (2 * 3600 + 45) + 70 + 900


def test_what_a_user_may_set_is_not_overruled(overlay: Overlay) -> None:
    """`env:` wins over the ConfigMap, and flags over both: neither holds what an overlay or the page says to set."""
    fixed = {entry["name"] for entry in overlay.container["env"] if "value" in entry}
    _, flags = parse(*command_of(overlay.container["args"]))
    fixed |= {setting.variable for setting in all_settings() if setting.key in flags}
    literals = {name for name in overlay.settings_map() if name.startswith("CLEANUP_")}
    assert literals
    assert not fixed & literals
    page = (CRON / "README.md").read_text()
    named = set(re.findall(r"CLEANUP_\w+", page)) | {
        setting.variable for setting in all_settings() if f"`{setting.key}`" in page
    }
    assert not fixed & named


def test_a_cron_job_starts_one_run_at_a_time(renderer: str, tmp_path: Path) -> None:
    """No overlap, a late start only for a while, a history to look at; one is over before the other begins."""
    busy, secrets, hosts = [], [], []
    for name in ("list", "sweep"):
        overlay = Overlay(name, _rendered(name, renderer))
        spec = overlay.workload["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert 10 < spec["startingDeadlineSeconds"] < 86400
        assert spec["successfulJobsHistoryLimit"] >= 1
        assert spec["failedJobsHistoryLimit"] >= 1
        begin = minute_of_day(spec["schedule"])
        busy.append((begin, begin + (spec["startingDeadlineSeconds"] + overlay.job["activeDeadlineSeconds"]) / 60))
        for env in overlay.container["env"]:
            if "valueFrom" in env:
                ref = env["valueFrom"]["secretKeyRef"]
                secrets.append((env["name"], ref["name"], ref["key"], ref["optional"]))
        hosts.append(overlay.pod["hostname"])
    earlier, later = sorted(busy)
    assert earlier[1] < later[0]
    assert secrets == [
        ("CLEANUP_OUTPUT__HEARTBEAT_URL", "draft-cleanup", "heartbeat-url-list", True),
        ("CLEANUP_OUTPUT__PUSH_URL", "draft-cleanup", "push-url", True),
        ("CLEANUP_OUTPUT__HEARTBEAT_URL", "draft-cleanup", "heartbeat-url-sweep", True),
        ("CLEANUP_OUTPUT__PUSH_URL", "draft-cleanup", "push-url", True),
    ], "a monitor must be able to tell them apart"
    assert hosts == ["draft-cleanup-list", "draft-cleanup-sweep"], "a gateway's groups are the same every night"


def test_a_pod_is_restricted(overlay: Overlay) -> None:
    """The restricted Pod Security Standard, and a root file system that is read-only."""
    pod, container = overlay.pod, overlay.container
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    assert {key for volume in pod["volumes"] for key in volume} <= {
        "name",
        "persistentVolumeClaim",
        "secret",
        "configMap",
    }
    resources = container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


def test_as_shipped_an_overlay_only_reads_until_one_value_is_changed(overlay: Overlay, tmp_path: Path) -> None:
    """Its settings load; with dry_run false, and nothing else, it discards, records, and resumes."""
    assert overlay.loaded(tmp_path).settings.run.dry_run
    settings = overlay.loaded(tmp_path, CLEANUP_RUN__DRY_RUN="false").settings
    assert not settings.run.dry_run
    assert (settings.run.yes, settings.run.resume) == ((True, False) if overlay.name == "sweep" else (False, True))
    mounts = {mount["mountPath"]: mount for mount in overlay.container["volumeMounts"]}
    for path in files_of(settings):
        assert not mounts["/" + path.split("/")[1]].get("readOnly"), path
    assert settings.api.key_file == "/secrets/api-key"
    assert mounts["/secrets"]["readOnly"]
    if overlay.name != "sweep":
        assert settings.pairs == "/list/drafts.csv"
    assert not settings.api.base_url.startswith("http:")


def test_as_shipped_an_overlay_refuses_every_key(overlay: Overlay, tmp_path: Path) -> None:
    """Whose drafts they are has to be filled in first, and the page's table says so."""
    assert overlay.loaded(tmp_path).settings.api.organization == "CHANGE-ME"
    (row,) = re.findall(rf"^\|.*\(kubernetes/{overlay.name}/.*$", (CRON / "README.md").read_text(), re.MULTILINE)
    assert "`CLEANUP_API__ORGANIZATION`" in row


def test_shares_have_their_own_files_and_divide_the_rate(renderer: str, tmp_path: Path) -> None:
    """As many shares as pods, nothing written by two of them, no more together than one process by default."""
    indexed = Overlay("indexed", _rendered("indexed", renderer))
    pods = indexed.job["completions"]
    assert (indexed.job["completionMode"], indexed.job["parallelism"]) == ("Indexed", pods)
    settings = [indexed.loaded(tmp_path, index).settings for index in range(pods)]
    assert [str(each.run.shard) for each in settings] == [f"{index}/{pods}" for index in range(pods)]
    written = [path for each in settings for path in files_of(each) if path != each.guard.backup]
    assert len(written) == len(set(written)) == 3 * pods
    rates = [each.limits.rate for each in settings]
    assert all(isinstance(rate, float) and rate.is_integer() for rate in rates), "a fraction would be cut off"
    assert sum(rate for rate in rates if isinstance(rate, float)) <= 5
    (claim,) = (document for document in indexed.documents if document["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_reader_cannot_write(overlay: Overlay) -> None:
    """The pod to look at files with: the same image and user, and a claim that an overlay makes, read-only."""
    pod = read(KUBERNETES / "reader.yaml")["spec"]
    (container,) = pod["containers"]
    assert container["image"] == overlay.container["image"]
    assert {mount["name"]: mount["readOnly"] for mount in container["volumeMounts"]} == {"data": True}
    assert pod["securityContext"] == overlay.pod["securityContext"]
    assert container["securityContext"] == overlay.container["securityContext"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"].startswith("draft-cleanup-")


# ---- the image


def test_the_image_and_the_manifests_agree() -> None:
    """Version, user, and an entry point without a shell, so that signals reach the job."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"ARG VERSION={__version__}\n" in dockerfile
    entry = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)
    assert [json.loads(text) for text in entry] == [["python", "/app/job.py"]]
    (user,) = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    for name in OVERLAYS:
        overlay = Overlay(name, _rendered(name, "here"))
        context = overlay.pod["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user
        assert overlay.container["image"].endswith(f"/draft-cleanup:{__version__}")
    for place in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE):
        assert (ROOT / place).exists()
        assert f"!{place}" in (ROOT / ".dockerignore").read_text().splitlines()
