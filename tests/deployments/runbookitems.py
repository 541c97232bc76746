"""Every item of the first runbook: what it named, where it is now, and the test that holds it."""

from typing import NamedTuple

R = "deployments/RUNBOOK.md"
EDGE = "deployments/kubernetes/edge/alphaswarm-edge"
ROUTER = "deployments/kubernetes/edge/alphaswarm-tenant-router"
PRODUCTION = "deployments/kubernetes/edge/overlays/production/kustomization.yaml"
CLOUDFLARE = "deployments/cloudflare/alphaswarm_load_balancer.tf"
ALERTS = "deployments/prometheus/alerts.yaml"
WORKFLOW = ".github/workflows/build-publish.yml"

# Where the tests are.
SAID = "tests/deployments/test_runbook.py::test_every_item_of_the_first_runbook_has_its_place"
RUN = "tests/deployments/test_runbook.py::test_every_command_line_is_one_of_the_program"
NAMED = "tests/deployments/test_runbook.py::test_every_kubernetes_name_is_in_the_manifests"
FILES = "tests/deployments/test_runbook.py::test_every_path_is_there"
OBJECTS = "tests/deployments/test_kubernetes.py::test_the_runbooks_names_are_there"
SPACE = "tests/deployments/test_kubernetes.py::test_everything_is_in_the_namespace_with_the_runbooks_label"
BUILT = "tests/deployments/test_kubernetes.py::test_every_kustomization_can_be_built"
CLOSED = "tests/deployments/test_kubernetes.py::test_it_ships_fail_closed_and_starts_when_stamped"
VERSION = "tests/deployments/test_kubernetes.py::test_images_are_this_version"
TUNNEL = (
    "tests/deployments/test_network_policies.py::test_in_production_only_the_tunnel_reaches_the_edge_and_is_believed"
)
RELEASE = "tests/deployments/test_workflows.py::test_a_release_is_tested_first_and_is_both_images_on_both_platforms"
SIGNED = "tests/deployments/test_workflows.py::test_an_image_has_a_name_only_once_it_is_scanned_and_signed"
SPLIT = "tests/deployments/test_cloudflare.py::test_the_two_pools_are_split_by_the_weights_of_pools"
BACK = "tests/deployments/test_cloudflare.py::test_a_roll_back_takes_effect_at_once"
PLAN = "tests/integration/cli/test_canary.py::test_the_plan_follows_its_own_commands_through_the_file"
STEPS = "tests/unit/operations/test_canaryplan.py::test_each_weight_is_a_step_of_the_runbook"
NO_RAW = "tests/unit/operations/test_canaryplan.py::test_terraform_itself_is_never_called"
READY = "tests/integration/http/test_app.py::test_readyz_answers_to_the_byte_what_the_runbook_expects"
STOP_READY = "tests/unit/operations/test_canary.py::test_a_replica_that_is_not_ready_for_more_than_a_minute_stops"
STOP_5XX = "tests/unit/operations/test_canary.py::test_more_than_half_a_percent_of_5xx_over_five_minutes_stops"
STOP_NULL = "tests/e2e/test_canary.py::test_an_audit_event_without_a_cell_stops"
ALERTED = "tests/deployments/test_alerts.py::test_they_fire_at_the_runbooks_numbers_and_not_before"
HEADERS = "tests/e2e/test_requests.py::test_a_tenants_request_arrives_at_its_cell"
SPANS = "tests/e2e/test_observation.py::test_every_request_has_a_cell_or_is_unresolved"
CELLS = "tests/integration/control/test_cells.py::test_the_list_is_what_the_runbook_pipes_to_jq"
PUBLIC = "tests/e2e/test_requests.py::test_what_needs_no_token_reaches_no_cell"
BOARD = "tests/deployments/test_dashboards.py::test_the_canary_board_asks_tempo_by_cell"


class Item(NamedTuple):
    """One item: the file where it is now has this text."""

    name: str
    file: str
    text: str
    test: str


ITEMS = (
    # Architecture
    Item("manifests under deployments/kubernetes/edge/", f"{EDGE}/kustomization.yaml", "deployment.yaml", BUILT),
    Item("Cloudflare Tunnel", PRODUCTION, 'alphaswarm.io/tunnel: "true"', TUNNEL),
    Item(
        "ext_authz callout to /resolve", R, "The first runbook had Envoy ask the tenant-router at each request", HEADERS
    ),
    Item(
        "endpoint /resolve",
        "README.md",
        "GET /resolve?tenant=acme",
        "tests/integration/http/test_resolve.py::test_a_tenant_is_told_with_all_that_decides_about_it",
    ),
    Item("x-alphaswarm-cell header", "README.md", "x-alphaswarm-tenant`, `-cell`", HEADERS),
    Item(
        "alphaswarm-cell-<id>-api",
        "README.md",
        "alphaswarm-cell-<…>-api",
        "tests/deployments/test_compose.py::test_every_cell_of_the_registry_answers_at_its_address",
    ),
    # Prerequisites
    Item(
        "the four images run on in parallel", R, "`alphaswarm-api`, `alphaswarm-worker`, `alphaswarm-client` and", SAID
    ),
    Item("0083_audit_cell_id_column", R, "0083_audit_cell_id_column", SAID),
    Item(
        "alembic current",
        R,
        "alembic current",
        "tests/deployments/test_runbook.py::test_the_schemas_head_is_the_runbooks",
    ),
    Item("a cell in state=active", R, "alphaswarm-xds cells list --state active", RUN),
    Item("curl …/manage/cells | jq '.data[].id'", R, "curl -sS https://manage.alpha-swarm.ai/manage/cells", CELLS),
    Item("GET /manage/cells", "xds/control/table.py", '"/manage/cells"', CELLS),
    Item("namespace alphaswarm-edge", f"{EDGE}/namespace.yaml", "name: alphaswarm-edge", SPACE),
    Item("label host-network-allowed", f"{EDGE}/namespace.yaml", 'alphaswarm.io/host-network-allowed: "true"', SPACE),
    # Step 0
    Item(
        "build alphaswarm-edge",
        R,
        "--file build/docker/alphaswarm-edge/Dockerfile",
        "tests/docker/test_images.py::test_the_edges_bootstrap_is_accepted_by_its_envoy",
    ),
    Item(
        "build alphaswarm-tenant-router",
        R,
        "--file build/docker/alphaswarm-tenant-router/Dockerfile",
        "tests/docker/test_images.py::test_the_router_is_fail_closed",
    ),
    Item("linux/amd64,linux/arm64", WORKFLOW, "platforms: linux/amd64,linux/arm64", RELEASE),
    Item(
        "tag …/alphaswarm-edge:v0.2.0", f"{EDGE}/deployment.yaml", "ghcr.io/julianwiley/alphaswarm-edge:v0.2.0", VERSION
    ),
    Item(
        "tag …-router:v0.2.0",
        f"{ROUTER}/deployment.yaml",
        "ghcr.io/julianwiley/alphaswarm-tenant-router:v0.2.0",
        VERSION,
    ),
    Item(
        "Python + uvloop",
        "pyproject.toml",
        "uvloop",
        "tests/deployments/test_images.py::test_the_images_lock_has_every_dependency_and_no_tool",
    ),
    Item("tagged releases build both images", WORKFLOW, "image: [alphaswarm-edge, alphaswarm-tenant-router]", RELEASE),
    Item("build-publish.yml", R, "`.github/workflows/build-publish.yml`", FILES),
    Item("push to ECR", R, "pushes to ghcr.io, not to ECR", SAID),
    Item("Cosign keyless", WORKFLOW, "cosign sign", SIGNED),
    Item("SBOM", WORKFLOW, "sbom: true", RELEASE),
    Item("SLSA provenance", WORKFLOW, "provenance: mode=max", RELEASE),
    Item("Trivy scan", WORKFLOW, "trivy", SIGNED),
    Item("build-sign-push composite", R, "`build-sign-push` is the platform's", SAID),
    # Step 1
    Item("AUTH_MODE=required, empty issuer, crash-loops", f"{ROUTER}/config.yaml", "AUTH_MODE: required", CLOSED),
    Item("stamp alphaswarm-tenant-router-config", R, "patch configmap alphaswarm-tenant-router-config", NAMED),
    Item("kubectl apply -k …/alphaswarm-edge/", R, f"kubectl apply -k {EDGE}/", BUILT),
    Item("kubectl apply -k …/alphaswarm-tenant-router/", R, f"kubectl apply -k {ROUTER}/", BUILT),
    Item("both Deployments", f"{ROUTER}/deployment.yaml", "kind: Deployment", OBJECTS),
    Item("both Services", f"{EDGE}/service.yaml", "kind: Service", OBJECTS),
    Item("PodDisruptionBudgets", f"{ROUTER}/disruption-budget.yaml", "PodDisruptionBudget", OBJECTS),
    Item("NetworkPolicy", f"{ROUTER}/network-policy.yaml", "NetworkPolicy", OBJECTS),
    Item("HPA", f"{ROUTER}/autoscaler.yaml", "HorizontalPodAutoscaler", OBJECTS),
    Item(
        "alphaswarm-cell-bound-validator Service", f"{ROUTER}/service.yaml", "alphaswarm-cell-bound-validator", OBJECTS
    ),
    Item("port-forward 18080:8080", R, "port-forward svc/alphaswarm-tenant-router 18080:8080", NAMED),
    Item(
        "curl /readyz and its answer",
        R,
        '{"status":"ok","cells":<n>,"auth_mode":"required","cba_mode":"enforce"',
        READY,
    ),
    Item("cba_mode enforce", f"{ROUTER}/config.yaml", "CBA_MODE: enforce", CLOSED),
    Item(
        "DNS still points to the legacy proxy",
        R,
        "DNS still points to the legacy proxy",
        "tests/deployments/test_cloudflare.py::test_it_begins_with_all_traffic_at_the_legacy_proxy",
    ),
    # Step 2
    Item("cloudflare/alphaswarm_load_balancer.tf", R, f"`{CLOUDFLARE}`", FILES),
    Item("step 2, 10 %", R, "envoy_percent = 10/", STEPS),
    Item(
        "pool alphaswarm_proxy_legacy", CLOUDFLARE, '"cloudflare_load_balancer_pool" "alphaswarm_proxy_legacy"', SPLIT
    ),
    Item("pool alphaswarm_proxy_envoy", CLOUDFLARE, '"cloudflare_load_balancer_pool" "alphaswarm_proxy_envoy"', SPLIT),
    Item("weights 0.9 and 0.1", CLOUDFLARE, "pool_weights", SPLIT),
    Item("hostname alpha-swarm.ai", CLOUDFLARE, '"alpha-swarm.ai"', SAID),
    Item("alphaswarm deploy terraform plan apply", R, "alphaswarm deploy terraform plan apply", PLAN),
    Item("never raw terraform apply, rule 42", R, "AGENTS rule 42", NO_RAW),
    Item("get pods -l app=alphaswarm-edge", R, "get pods -l app=alphaswarm-edge", NAMED),
    Item("get pods -l app=alphaswarm-tenant-router", R, "get pods -l app=alphaswarm-tenant-router", NAMED),
    Item("logs --tail=200 -f", R, "logs -l app=alphaswarm-tenant-router --tail=200 -f", NAMED),
    Item("503s and cache misses in the logs", R, "There are no cache misses to look for", SAID),
    Item("stop: readyz 503 > 1 minute", ALERTS, "TenantRouterNotReady", STOP_READY),
    Item("stop: 5xx > 0.5 %", ALERTS, "> 0.005", STOP_5XX),
    Item("stop: over 5 minutes", ALERTS, "[5m]", ALERTED),
    Item("stop: cell_id IS NULL", R, "cell_id IS NULL", STOP_NULL),
    # Steps 3 to 5
    Item("step 3, 50 %", R, "envoy_percent = 50/", STEPS),
    Item("span attribute alphaswarm.cell.id", "README.md", "`alphaswarm.cell.id`", SPANS),
    Item(
        "Tempo query by alphaswarm.cell.id",
        R,
        '{ span.alphaswarm.cell.id = "cell-shared-std-local" } | count_over_time()',
        BOARD,
    ),
    Item(
        "both routes, the same distribution of cells", R, "by (resource.service.name, span.alphaswarm.cell.id)", BOARD
    ),
    Item("step 4, 0.0 / 1.0", R, "Weights 0.0 and 1.0", STEPS),
    Item("7 days as the safety net", R, "runs on for 7 days", SAID),
    Item("step 5, the proxy's removal", R, "`alphaswarm/api/proxy.py`", SAID),
    Item("its Dockerfile's CMD", R, "the `CMD` in the Dockerfile of `alphaswarm_client`", SAID),
    Item("routes /api, /ws, /manage, /static", R, "`/api/*`, `/ws/*`, `/manage/*` and `/static`", PUBLIC),
    Item("alphaswarm-client:proxy-last-stable", R, "alphaswarm-client:proxy-last-stable", SAID),
    Item("tag alphaswarm-client-proxy-final", R, "alphaswarm-client-proxy-final", SAID),
    Item("tests under tests/api/", R, "`tests/api/`", SAID),
    # Rollback
    Item("rollback: weight 1.0 / 0.0", R, "Weights 1.0 and 0.0", BACK),
    Item("rollback: scale to 0", R, "scale deployment alphaswarm-edge --replicas=0", NAMED),
)
