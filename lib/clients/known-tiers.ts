import { toPrintable } from '../common/printable.js'
import { warnings } from '../errors.js'
import { ANONYMOUS, type Client } from '../model/client.js'

/** Longest tier in a warning: a token's tier is untrusted text. */
const MAX_PRINTED_LENGTH = 64

/** Most tiers that are warned of: clients may invent tiers. */
const MAX_WARNINGS = 10

/**
 * The tiers that some policy names. A user of any other tier gets the default tier, so that tokens cannot create an
 * unbounded number of tiers.
 */
export class KnownTiers {
  readonly #defaultTier: string
  readonly #names: Set<string>
  readonly #warned = new Set<string>()

  constructor (defaultTier: string) {
    this.#defaultTier = defaultTier
    this.#names = new Set([ANONYMOUS, defaultTier])
  }

  add (name: string): void {
    this.#names.add(name)
  }

  /** The client, with the default tier in place of an unknown one. */
  normalize (client: Client): Client {
    if (this.#names.has(client.tier)) return client
    if (this.#warned.size < MAX_WARNINGS && !this.#warned.has(client.tier)) this.#warn(client.tier)
    return { ...client, tier: this.#defaultTier }
  }

  #warn (tier: string): void {
    this.#warned.add(tier)
    const name = `"${toPrintable(tier, MAX_PRINTED_LENGTH)}"`
    process.emitWarning(
      `no policy has limits for the tier ${name}, so its users get the tier "${this.#defaultTier}"; add it to tiers, or give users another`,
      { code: warnings.unknownTier }
    )
  }
}
