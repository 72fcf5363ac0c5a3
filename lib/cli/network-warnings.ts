import { cidrsOf } from '../config/schema/network-list.js'
import type { Subject } from './warning-input.js'

/** A network of all addresses among the proxies: whatever a client writes into X-Forwarded-For is then its address. */
export function trustsEverybody ({ options: { trustedProxies = [] }, placeOf }: Subject): string[] {
  return whole(trustedProxies).map((index) => `${placeOf(['trustedProxies', index])}: is every address, so anyone can forge his own by X-Forwarded-For; name the addresses of your proxies`)
}

export function exemptsEverybody ({ options: { exempt }, placeOf }: Subject): string[] {
  return whole(exempt?.ips ?? []).map((index) => `${placeOf(['exempt', 'ips', index])}: is every address, so nobody is limited; enabled = false would say so`)
}

/** Indexes of the entries that have all addresses of a family. */
function whole (list: readonly string[]): number[] {
  return [...list.entries()].filter(([, entry]) => entry !== 'unix' && cidrsOf([entry], '').some(({ bits }) => bits === 0)).map(([index]) => index)
}
