"""The manager: what the host calls to install, uninstall, sleep and resume the module."""

import os
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError, hookimpl
from modulehost_example.store import Deployment, Service, Store


class Config(msgspec.Struct, rename="camel"):
    """The settings that a user gives under `spec.config`."""

    namespace: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            description="Where the deployment and the service go",
        ),
    ] = "default"
    # Eleven characters shorter than a label may be: "-deployment" is appended.
    app_name: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$",
            description="What the names of the deployment and the service begin with",
        ),
    ] = "my-app"
    replicas: Annotated[
        int, Meta(ge=1, le=10, description="How many copies run while the module is awake")
    ] = 1


class State(msgspec.Struct, rename="camel"):
    """What this module keeps in the metadata; other keys belong to others and stay as they are.

    No key is the alias of a setting: without a config.json the settings are in the same object.
    """

    deployment_namespace: str | None = None
    deployment_name: str | None = None
    installed_resources: dict[str, str] = msgspec.field(default_factory=dict)
    replicas_before_sleep: Annotated[int, Meta(ge=1)] | None = None

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> "State":
        """Return the state in the metadata, every part checked and missing ones filled in."""
        try:
            return msgspec.convert(metadata, cls)
        except msgspec.ValidationError as error:
            raise ModuleError(
                f"the metadata is not as this module left it ({error}): send the last answer"
            ) from error


class Manager:
    """Looks after one deployment and the service in front of it."""

    config = Config
    # Files need none; it brings the kubeconfig (ctx.kubeconfig) that a real module works with.
    permissions = ("workspace",)

    def __init__(self) -> None:
        temporary = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - tempfile is slow to import
        root = os.environ.get("EXAMPLE_DIR") or f"{temporary}/modulehost-example"
        self.store = Store(root)

    @hookimpl
    def install(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        """Create the deployment and the service, or what is missing of them."""
        state = State.of(metadata)
        namespace = state.deployment_namespace or ctx.config.namespace
        deployment = state.deployment_name or f"{ctx.config.app_name}-deployment"
        service = state.installed_resources.get("service") or f"{ctx.config.app_name}-service"
        replicas = 0 if state.replicas_before_sleep else ctx.config.replicas

        # Names are noted and kept before anything has them: whatever happens from here on, be it
        # kill -9, uninstall knows where to look.
        ctx.raise_if_cancelled()
        metadata["deploymentNamespace"] = namespace
        metadata["deploymentName"] = deployment
        metadata["installedResources"] = {"deployment": deployment, "service": service}
        ctx.checkpoint()
        changed = self.store.apply(Deployment(namespace, deployment, replicas))
        ctx.progress(f"1/2: {deployment} is there")

        ctx.raise_if_cancelled()
        changed |= self.store.apply(Service(namespace, service, deployment))
        ctx.log.info(
            "installed",
            namespace=namespace,
            deployment=deployment,
            service=service,
            changed=changed,
        )

    @hookimpl
    def uninstall(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        """Remove what install created, the last first."""
        state = State.of(metadata)
        namespace = state.deployment_namespace or ctx.config.namespace
        if not state.installed_resources:
            ctx.log.warning("nothing to remove: the metadata names no installed resources")
        for kind in ("service", "deployment"):
            ctx.raise_if_cancelled()
            if name := state.installed_resources.get(kind):
                self.store.delete(namespace, name)  # it is forgotten when it is gone, not before
                del metadata["installedResources"][kind]
                ctx.log.info("removed", namespace=namespace, kind=kind, name=name)
        for key in State.__struct_encode_fields__:
            metadata.pop(key, None)

    @hookimpl
    def sleep(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        """Scale to nothing and remember the number of replicas."""
        ctx.raise_if_cancelled()
        deployment = self._deployment(ctx, State.of(metadata))
        # The 0 of a deployment that is asleep must not replace the number remembered.
        if deployment.replicas:
            metadata["replicasBeforeSleep"] = deployment.replicas
            ctx.checkpoint()
            deployment.replicas = 0
            self.store.apply(deployment)
        ctx.log.info("asleep", namespace=deployment.namespace, deployment=deployment.name)

    @hookimpl
    def resume(self, ctx: Context[Config], metadata: dict[str, Any]) -> None:
        """Scale back to the number of replicas that sleep remembered."""
        ctx.raise_if_cancelled()
        state = State.of(metadata)
        deployment = self._deployment(ctx, state)
        if not deployment.replicas:
            deployment.replicas = state.replicas_before_sleep or ctx.config.replicas
            self.store.apply(deployment)
        metadata.pop("replicasBeforeSleep", None)
        ctx.log.info("awake", namespace=deployment.namespace, deployment=deployment.name)

    @hookimpl
    def health(self, ctx: Context[Config]) -> bool:
        """Tell whether resources could be created; the exception says why not."""
        self.store.check()
        return True

    def _deployment(self, ctx: Context[Config], state: State) -> Deployment:
        if not state.deployment_name:
            raise ModuleError("deploymentName is not in the metadata: install the module first")
        namespace = state.deployment_namespace or ctx.config.namespace
        return self.store.deployment(namespace, state.deployment_name)
