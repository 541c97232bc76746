# The canary of the cutover: how much of the apex hostname goes to the edge, and how much to the legacy proxy.
#
# An origin's weight acts within its own pool only. Two pools of one origin each, weighted 0.9 and 0.1 at the origins,
# split nothing: every request would go to the first healthy pool. What splits traffic between pools is random steering
# with pool weights, below.

terraform {
  required_version = ">= 1.5"

  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.14" # in 4 and older, origins and random_steering are blocks, not attributes
    }
  }
}

variable "account_id" {
  description = "The Cloudflare account that has the pools."
  type        = string
}

variable "zone_id" {
  description = "The Cloudflare zone of the hostname."
  type        = string
}

variable "hostname" {
  description = "The hostname that is split between the two pools."
  type        = string
  default     = "alpha-swarm.ai"
}

variable "legacy_address" {
  description = "Where Cloudflare reaches the legacy proxy, alphaswarm-client: a hostname or an IP address."
  type        = string
}

variable "edge_address" {
  description = "Where Cloudflare reaches alphaswarm-edge: a hostname or an IP address."
  type        = string
}

variable "legacy_health_path" {
  description = "The path at which the legacy proxy answers 200 while it is well."
  type        = string
  default     = "/healthz"
}

variable "envoy_percent" {
  description = "The share of requests that go to the edge: 0, then 10, 50 and 100; 0 again to roll back."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 10, 50, 100], var.envoy_percent)
    error_message = "The runbook's steps are 0, 10, 50 and 100."
  }
}

resource "cloudflare_load_balancer_monitor" "alphaswarm_proxy_legacy" {
  account_id     = var.account_id
  description    = "The legacy proxy"
  type           = "https"
  method         = "GET"
  path           = var.legacy_health_path
  expected_codes = "200"
  interval       = 60
  timeout        = 5
  retries        = 2

  header = {
    "Host" = [var.hostname]
  }
}

resource "cloudflare_load_balancer_monitor" "alphaswarm_proxy_envoy" {
  account_id     = var.account_id
  description    = "alphaswarm-edge: 200 once an Envoy has its listener, its scopes and its public routes"
  type           = "https"
  method         = "GET"
  path           = "/healthz"
  expected_codes = "200"
  interval       = 60
  timeout        = 5
  retries        = 2

  header = {
    "Host" = [var.hostname]
  }
}

resource "cloudflare_load_balancer_pool" "alphaswarm_proxy_legacy" {
  account_id = var.account_id
  name       = "alphaswarm-proxy-legacy"
  monitor    = cloudflare_load_balancer_monitor.alphaswarm_proxy_legacy.id

  origins = [{
    name    = "alphaswarm-client"
    address = var.legacy_address
    weight  = 1 # within this pool, where it is alone
    header = {
      host = [var.hostname]
    }
  }]
}

resource "cloudflare_load_balancer_pool" "alphaswarm_proxy_envoy" {
  account_id = var.account_id
  name       = "alphaswarm-proxy-envoy"
  monitor    = cloudflare_load_balancer_monitor.alphaswarm_proxy_envoy.id

  origins = [{
    name    = "alphaswarm-edge"
    address = var.edge_address
    weight  = 1 # within this pool, where it is alone
    header = {
      host = [var.hostname]
    }
  }]
}

resource "cloudflare_load_balancer" "alphaswarm" {
  zone_id         = var.zone_id
  name            = var.hostname
  description     = "The cutover from the legacy proxy to alphaswarm-edge"
  proxied         = true
  steering_policy = "random"

  # None: a client that is tied to a pool by a cookie would stay there when the weights change, and when they are put
  # back. What must be sticky is a tenant, and that is decided in Envoy (LEGACY_UPSTREAM).
  session_affinity = "none"

  default_pools = [
    cloudflare_load_balancer_pool.alphaswarm_proxy_legacy.id,
    cloudflare_load_balancer_pool.alphaswarm_proxy_envoy.id,
  ]
  fallback_pool = cloudflare_load_balancer_pool.alphaswarm_proxy_legacy.id

  random_steering = {
    pool_weights = {
      (cloudflare_load_balancer_pool.alphaswarm_proxy_legacy.id) = (100 - var.envoy_percent) / 100
      (cloudflare_load_balancer_pool.alphaswarm_proxy_envoy.id)  = var.envoy_percent / 100
    }
  }
}

output "weights" {
  description = "What each pool gets, of 1."
  value       = cloudflare_load_balancer.alphaswarm.random_steering.pool_weights
}
