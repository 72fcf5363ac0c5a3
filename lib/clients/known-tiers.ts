import { warnings } from '../errors.js'
import { ANONYMOUS, type Client } from '../model/client.js'

/** Longest tier in a warning: what a token says is somebody else's text. */
const MAX_PRINTED_LENGTH = 64

/**
 * The tiers that some policy names. A user of any other is of the default tier, so that neither a typing error in a
 * token nor whoever issues them can make tiers without number.
 */
export class KnownTiers {
  readonly #defaultTier: string
  readonly #names: Set<string>
  #hasWarned = false

  constructor (defaultTier: string) {
    this.#defaultTier = defaultTier
    this.#names = new Set([ANONYMOUS, defaultTier])
  }

  add (name: string): void {
    this.#names.add(name)
  }

  /** The client, with the default tier in place of one that nobody knows. */
  normalize (client: Client): Client {
    if (this.#names.has(client.tier)) return client
    if (!this.#hasWarned) this.#warn(client.tier)
    return { ...client, tier: this.#defaultTier }
  }

  #warn (tier: string): void {
    this.#hasWarned = true
    process.emitWarning(`no policy has limits for the tier ${JSON.stringify(tier.slice(0, MAX_PRINTED_LENGTH))}, so its users are "${this.#defaultTier}"; name it in tiers, or tell users another`, { code: warnings.unknownTier })
  }
}
