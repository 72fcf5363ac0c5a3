import { parseTier } from '../clients/claims.js'
import { parsePartitionClient } from '../clients/partition.js'
import { badOption } from '../config/schema/check.js'
import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import type { Decision } from '../model/decision.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'

/** Options of `fastify.rateLimit.consume`: those of a route, without functions of the request. */
export type ConsumeOptions = Omit<RouteRateLimit, 'keyGenerator' | 'errorResponseBuilder' | 'onExceeding' | 'onExceeded' | 'onBlocked'> & {
  /** The tier of the user, whose limits apply. Default: `identify.defaultTier`. */
  readonly tier?: string
}

/** Functions that receive a request. */
const REQUEST_FUNCTIONS: ReadonlyArray<Exclude<keyof RouteRateLimit, keyof ConsumeOptions>> = [
  'keyGenerator', 'errorResponseBuilder', 'onExceeding', 'onExceeded', 'onBlocked'
]

interface ParsedOptions {
  readonly policy: RouteRateLimit
  readonly tier: string | null
}

const PLACE = 'rateLimit.consume'

export function createConsume (snapshots: SnapshotHolder) {
  /** By the options, which an application usually creates once. */
  const parsed = new WeakMap<ConsumeOptions, ParsedOptions>()

  function parse (options: ConsumeOptions): ParsedOptions {
    let found = parsed.get(options)
    if (found === undefined) {
      found = parseOptions(options)
      parsed.set(options, found)
    }
    return found
  }

  return async function consume (partition: string, options?: ConsumeOptions): Promise<Decision | null> {
    const { current } = snapshots
    const given = options === undefined ? null : parse(options)
    const policy = current.policyFor(given?.policy, PLACE)
    const tier = given?.tier ?? current.merged.resolved.identify.defaultTier
    const client = parsePartitionClient(partition, current.services.addresses, tier)
    if (given !== null && given.tier !== null && client.kind !== 'user') {
      throw new FST_SLUICE_CONTRADICTION(`${PLACE}.tier`, `belongs to a user, and the partition is "${client.partition}"`)
    }
    if (!current.isEnabled) return null
    const address = client.kind === 'ip' ? partition.slice('ip:'.length) : null
    return await current.limiter.consume(policy, client, address, givesConcurrency(options))
  }
}

/** Whether a check holds a slot: only if its own options ask for it, as the caller must release it. */
export function givesConcurrency (options: Pick<RouteRateLimit, 'concurrency'> | undefined): boolean {
  return typeof options?.concurrency === 'object'
}

function parseOptions (options: ConsumeOptions): ParsedOptions {
  if (typeof options !== 'object' || options === null) throw badOption(PLACE, 'an object of rate-limit options', options)
  const { tier, ...policy } = options
  const withFunction = REQUEST_FUNCTIONS.find((name) => Reflect.get(policy, name) !== undefined)
  if (withFunction !== undefined) {
    throw new FST_SLUICE_CONTRADICTION(`${PLACE}.${withFunction}`, 'needs a request, and consume has no request')
  }
  if (tier !== undefined && parseTier(tier) === null) throw badOption(`${PLACE}.tier`, 'the name of a tier, 1 to 64 characters', tier)
  return { policy, tier: tier ?? null }
}
