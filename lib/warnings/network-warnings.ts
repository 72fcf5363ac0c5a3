import { parseCidrs } from '../config/schema/network-list.js'
import type { WarningInput } from './warning-input.js'

/** A trusted network with all addresses: then a client can choose its address in X-Forwarded-For. */
export function trustsEveryAddress ({ options: { trustedProxies = [] }, locate }: WarningInput): string[] {
  return findEveryAddressEntries(trustedProxies).map((index) => {
    const place = locate(['trustedProxies', index])
    return `${place}: matches every address, so clients can forge their address in X-Forwarded-For; list the addresses of your proxies`
  })
}

/** An exempt network with all addresses: then no client is limited. */
export function exemptsEveryAddress ({ options: { exempt }, locate }: WarningInput): string[] {
  return findEveryAddressEntries(exempt?.ips ?? []).map((index) => {
    return `${locate(['exempt', 'ips', index])}: matches every address, so no client is limited; use enabled = false for that`
  })
}

/** Indexes of the entries that match all addresses of a family. */
function findEveryAddressEntries (list: readonly string[]): number[] {
  return [...list.entries()]
    .filter(([, entry]) => entry !== 'unix' && parseCidrs([entry], '').some(({ bits }) => bits === 0))
    .map(([index]) => index)
}
