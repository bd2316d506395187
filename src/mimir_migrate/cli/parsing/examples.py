"""Two calls of each command, as its help shows them."""

from __future__ import annotations

_RINGS = "--namespace mimir --table t --region r --cluster c --keys collectors/ring"
_SERVE = "mimir-migrate bridge serve --table t --region r --cluster c --keys collectors/ring"

EXAMPLES = {
    "inspect": (
        "mimir-migrate inspect --target target.toml",
        "mimir-migrate inspect --to dynamodb --fail-on blocks --json",
    ),
    "verify": (
        "mimir-migrate verify --target target.toml",
        "mimir-migrate verify --watch --for 24h",
    ),
    "plan": (
        "mimir-migrate plan --to dynamodb --rings ruler -o plan.json -o plan.md",
        "mimir-migrate plan --to memberlist --strategy static",
    ),
    "rehearse": (
        "mimir-migrate rehearse plan.json --binary ./mimir",
        "mimir-migrate rehearse target.toml --to dynamodb",
    ),
    "apply": ("mimir-migrate apply plan.json", "mimir-migrate apply plan.json --dry-run"),
    "resume": ("mimir-migrate resume", "mimir-migrate resume 1f3a --takeover"),
    "rollback": ("mimir-migrate rollback", "mimir-migrate rollback 1f3a --dry-run"),
    "clean": (
        "mimir-migrate clean --target target.toml",
        "mimir-migrate clean --remove items/rings/ruler --remove table/rings",
    ),
    "status": ("mimir-migrate status", "mimir-migrate status --follow"),
    "runs": ("mimir-migrate runs", "mimir-migrate runs --json"),
    "approve": (
        "mimir-migrate approve",
        "mimir-migrate approve 1f3a --reason 'looked at the dashboards'",
    ),
    "hold": ("mimir-migrate hold", "mimir-migrate hold --reason 'an incident elsewhere'"),
    "continue": ("mimir-migrate continue", "mimir-migrate continue 1f3a"),
    "stop": (
        "mimir-migrate stop",
        "mimir-migrate stop 1f3a --reason 'the maintenance window ends'",
    ),
    "override": (
        "mimir-migrate override users-fine --reason 'a load test, ended 10:40'",
        "mimir-migrate override blast-radius 1f3a --reason 'diff was reviewed'",
    ),
    "report": ("mimir-migrate report", "mimir-migrate report 1f3a -o report.html -o report.md"),
    "replay": ("mimir-migrate replay", "mimir-migrate replay 1f3a --speed 600"),
    "edit": (
        "mimir-migrate edit values.yaml --to memberlist+dynamodb --rings ruler --table rings --region eu-west-1",
        "mimir-migrate edit values.yaml --check --product mimir",
    ),
    "init": (
        "mimir-migrate init",
        "mimir-migrate init --yes --namespace observability --release mimir",
    ),
    "rbac": (
        "mimir-migrate rbac --target target.toml",
        "mimir-migrate rbac --namespace observability --release mimir --table rings",
    ),
    "terraform": (
        "mimir-migrate terraform --terraform infra --table rings --aws-region eu-west-1",
        "mimir-migrate terraform --target target.toml -o ring-tables.tf",
    ),
    "completion": (
        "mimir-migrate completion bash > ~/.local/share/bash-completion/completions/mimir-migrate",
        "mimir-migrate completion fish > ~/.config/fish/completions/mimir-migrate.fish",
    ),
    "demo": ("mimir-migrate demo", "mimir-migrate demo --headless --product cortex"),
    "sandbox": (
        "mimir-migrate sandbox up --dir sb --stores +dynamodb",
        "mimir-migrate sandbox down --dir sb",
    ),
    "up": (
        "mimir-migrate sandbox up --dir sb --stores +dynamodb",
        "mimir-migrate sandbox up --dir sb --product cortex --speed 60",
    ),
    "inject": (
        "mimir-migrate sandbox inject rollout-hangs --dir sb",
        "mimir-migrate sandbox inject pod-silent --pod mimir-ruler-0 --seconds 60 --dir sb",
    ),
    "manifest": (
        f"mimir-migrate bridge manifest --image registry/mimir-migrate:0.2.0 {_RINGS}",
        f"mimir-migrate bridge manifest --image i {_RINGS} --terraform",
    ),
    "bridge": (
        f"{_SERVE} --token-file token",
        f"mimir-migrate bridge manifest --image registry/mimir-migrate:0.2.0 {_RINGS}",
    ),
    "serve": (
        f"{_SERVE},rulers/ring --token-file /etc/ring-bridge/token",
        f"{_SERVE} --endpoint-url http://127.0.0.1:5000 --no-token",
    ),
    "down": ("mimir-migrate sandbox down --dir sb", "mimir-migrate sandbox down --dir /tmp/sb"),
}
"""Two calls of each command, by its name."""
