import type { Policy, Rollout } from '../policies/policy.js'

/**
 * The policy for a partition: this one, or its trial. It is always the same for the same share, in every instance, and a
 * larger share keeps all for whom a smaller one enforced. Which they are differs from scope to scope.
 */
export function selectRollout (policy: Policy, { share, shadow }: Rollout, partition: string): Policy {
  return hashToUnit(`${policy.scope} ${partition}`) < share ? policy : shadow
}

/** Where a text stands between 0 and 1: FNV-1a, of which only the last step spreads the last characters over all bits. */
function hashToUnit (text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
