import { isIPv4, isIPv6 } from 'node:net'
import type { SchemaOptions } from '@sinclair/typebox'
import { badOption } from './check.js'
import { Type } from './type-builder.js'

/*
 * The notation of networks in the options. Addresses of clients are parsed in `lib/clients/address`.
 */

/** One network. An IPv4-mapped address is kept as it is written. */
export interface Cidr {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** Length of the prefix in bits: 0 to 32, or 0 to 128 for IPv6. */
  readonly bits: number
}

const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']
}

/** Schema of an option that is a list of networks. `keywords`: see `parseCidrs`. */
export function NetworkList (meta: SchemaOptions = {}, keywords: readonly string[] = []) {
  return Type.Array(Type.String({ expected: describeExpected(keywords) }), {
    ...meta, expected: `an array of addresses, CIDRs, ${formatNames(keywords, 'and')}`
  })
}

/**
 * Parse a list of networks: each entry is an address, a CIDR, `loopback` or `private`. `keywords` are entries with
 * another meaning for the option; they are skipped. Throws FST_SLUICE_BAD_OPTION with the place of the entry.
 */
export function parseCidrs (list: readonly string[], place: string, keywords: readonly string[] = []): Cidr[] {
  return list.flatMap((text, index) => {
    if (keywords.includes(text)) return []
    return (Object.hasOwn(NAMED_NETWORKS, text) ? NAMED_NETWORKS[text] : [text]).map((written) => {
      const cidr = parseCidr(written)
      if (cidr === null) throw badOption(`${place}[${index}]`, describeExpected(keywords), text)
      return cidr
    })
  })
}

function parseCidr (text: string): Cidr | null {
  const [written, prefix, ...rest] = text.split('/')
  // A zone names the interface that reaches an address. It does not identify the host.
  const address = written.split('%')[0]
  const family = isIPv4(written) ? 'ipv4' : isIPv6(written) ? 'ipv6' : null
  if (family === null || rest.length > 0) return null
  const maxBits = family === 'ipv4' ? 32 : 128
  if (prefix === undefined) return { address, family, bits: maxBits }
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > maxBits) return null
  return { address, family, bits: Number(prefix) }
}

function describeExpected (keywords: readonly string[]): string {
  return `an address or a CIDR such as "10.0.0.0/8", ${formatNames(keywords, 'or')}`
}

function formatNames (keywords: readonly string[], conjunction: 'and' | 'or'): string {
  const quoted = [...Object.keys(NAMED_NETWORKS), ...keywords].map((name) => `"${name}"`)
  return `${quoted.slice(0, -1).join(', ')} ${conjunction} ${quoted[quoted.length - 1]}`
}
