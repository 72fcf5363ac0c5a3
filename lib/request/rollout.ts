import type { Policy, Rollout } from '../policies/policy.js'

/**
 * Select a policy or its shadow for a partition. The selection is the same in every instance. A larger share includes all
 * partitions of a smaller one. Different scopes select different partitions.
 */
export function selectRollout (policy: Policy, { share, shadow }: Rollout, partition: string): Policy {
  return hashToUnit(`${policy.scope} ${partition}`) < share ? policy : shadow
}

/** Hash a text to a number from 0 up to, but not including, 1: FNV-1a with a final mix, so that the last characters affect all bits. */
export function hashToUnit (text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
