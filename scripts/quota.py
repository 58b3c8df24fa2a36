"""`k2l quota`: the GPU time of this week."""

from scripts.steps import options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, show


def quota(remote: options.Remote = "kaggle", owner: options.Owner = None, json: Json = False) -> None:
    """Show the GPU hours used and left, and when they are renewed.

    Example: k2l quota
    """
    from local.jobs.capacity import when

    service = options.service(remote, owner)
    gpu = service.quota()
    used, total = (part.total_seconds() / 3600 for part in (gpu.used, gpu.total))
    if json:
        refresh = gpu.refresh.strftime("%Y-%m-%dT%H:%MZ") if gpu.refresh else None
        emit([{"used_hours": used, "total_hours": total, "left_hours": total - used, "refresh": refresh}])
    else:
        show(
            f"{service.label} as {service.username}: {used:.1f} of {total:.1f} GPU hours used, {total - used:.1f} left"
        )
        show(f"they are renewed {when(gpu.refresh)}")


if __name__ == "__main__":
    run(quota)
