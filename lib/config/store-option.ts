import { FST_SLUICE_BAD_OPTION } from '../errors.js'
import type { Store } from '../stores/store.js'
import { badOption } from './check.js'
import type { Tell } from './mistakes.js'
import { NAME_EXPECTED, NAME_PATTERN } from './notation.js'

/** What the plugin calls. */
const METHODS = ['take', 'peek', 'adjust', 'reset', 'ping'] as const satisfies ReadonlyArray<keyof Store>

export const STORE_EXPECTED = 'a store: an object with a `kind` and the methods take, peek, adjust, reset and ping'

/** Tell what an object lacks to be a store. Whether it does what a store does, only calls can tell. */
export function tellStoreMistakes (store: unknown, tell: Tell): void {
  if (typeof store !== 'object' || store === null || Array.isArray(store)) return tell([], (place) => badOption(place, STORE_EXPECTED, store))
  const given: Partial<Record<keyof Store, unknown>> = store
  const missing = METHODS.filter((method) => typeof given[method] !== 'function')
  if (missing.length > 0) return tell([], (place) => new FST_SLUICE_BAD_OPTION(place, STORE_EXPECTED, `an object without ${missing.join(', ')}`))
  const { kind } = given
  if (typeof kind !== 'string' || !new RegExp(NAME_PATTERN).test(kind)) tell(['kind'], (place) => badOption(place, NAME_EXPECTED, kind))
}
