import { parseCidrs } from '../config/schema/network-list.js'
import type { WarningInput } from './warning-input.js'

/** A network of all addresses among the proxies: whatever a client writes into X-Forwarded-For is then its address. */
export function trustsEveryAddress ({ options: { trustedProxies = [] }, locate }: WarningInput): string[] {
  return findEveryAddressEntries(trustedProxies).map((index) => `${locate(['trustedProxies', index])}: is every address, so anyone can forge his own by X-Forwarded-For; name the addresses of your proxies`)
}

export function exemptsEveryAddress ({ options: { exempt }, locate }: WarningInput): string[] {
  return findEveryAddressEntries(exempt?.ips ?? []).map((index) => `${locate(['exempt', 'ips', index])}: is every address, so nobody is limited; enabled = false would say so`)
}

/** Indexes of the entries that have all addresses of a family. */
function findEveryAddressEntries (list: readonly string[]): number[] {
  return [...list.entries()].filter(([, entry]) => entry !== 'unix' && parseCidrs([entry], '').some(({ bits }) => bits === 0)).map(([index]) => index)
}
