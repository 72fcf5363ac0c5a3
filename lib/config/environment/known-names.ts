import type { LayerOptions } from '../layers/layer.js'

/*
 * Look-up of names in the layers below the environment. Variables are in upper case and contain no `-` and `.`. The exact
 * name of a rule, a tier or a limit is therefore looked up.
 */

/** The value at a path, or `undefined`. `path`: options, and names instead of indexes. */
export function findKnownValue (lower: LayerOptions, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value.find((item: unknown) => getName(item) === step)
    return typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined
  }, lower)
}

/** The names of the entries of the array or record at a path. */
export function listKnownNames (lower: LayerOptions, path: readonly string[]): readonly string[] {
  const value = findKnownValue(lower, path)
  if (Array.isArray(value)) return value.map(getName).filter((name) => name !== null)
  return typeof value === 'object' && value !== null ? Object.keys(value) : []
}

/** Every tier name in the lower layers, for policies without limits for it. */
export function listKnownTiers (lower: LayerOptions): readonly string[] {
  const tiers = [lower, ...lower.rules ?? []].flatMap((policy) => Object.keys(policy.tiers ?? {}))
  return [...tiers, ...lower.identify?.defaultTier === undefined ? [] : [lower.identify.defaultTier]]
}

/** The `name` of a rule or a limit. */
export function getName (item: unknown): string | null {
  return typeof item === 'object' && item !== null && 'name' in item && typeof item.name === 'string' ? item.name : null
}
