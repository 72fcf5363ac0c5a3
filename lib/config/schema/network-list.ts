import { isIPv4, isIPv6 } from 'node:net'
import { Type, type SchemaOptions } from '@sinclair/typebox'
import { badOption } from './check.js'

/*
 * How networks are written in the options. Reading an address itself is the clients' business.
 */

/** One network. An IPv4-mapped one is left as it is written. */
export interface Cidr {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** Length of the prefix: 0 to 32 or 128. */
  readonly bits: number
}

const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']
}

/** A list of networks as an option. `words`: see `parseCidrs`. */
export function NetworkList (meta: SchemaOptions = {}, keywords: readonly string[] = []) {
  return Type.Array(Type.String({ expected: describeExpected(keywords) }), { ...meta, expected: `an array of addresses, CIDRs, ${formatNames(keywords, 'and')}` })
}

/**
 * The networks that each entry of a list means: an address, a CIDR, `loopback` or `private`. `words` are entries that
 * mean something else to the option, and no network. Throws FST_SLUICE_BAD_OPTION with the entry's place.
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
  // A zone says by which interface an address is reached, not whose it is.
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
