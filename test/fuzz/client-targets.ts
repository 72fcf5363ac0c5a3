// What a client sends: addresses, forwarding headers, URLs, tokens; and what an operator sends: partitions.
import type { FastifyRequest } from 'fastify'
import { findPeriod } from '../../lib/calendar/find-period.js'
import { loadTemporal } from '../../lib/calendar/temporal.js'
import { AddressReader, canonicalizeAddress, isAddress, UNKNOWN } from '../../lib/clients/address/address-reader.js'
import { createNetworks } from '../../lib/clients/address/networks.js'
import { TrustedProxies } from '../../lib/clients/address/trusted-proxies.js'
import { findClaim, parseAnchorMs, parseTier, parseUserId } from '../../lib/clients/claims.js'
import { formatPartition, parsePartition, parsePartitionClient } from '../../lib/clients/partition.js'
import { parseCidrs } from '../../lib/config/schema/network-list.js'
import { MAX_READ_SEGMENTS } from '../../lib/routing/interpretations.js'
import { interpretRawPath, readStaticPath } from '../../lib/routing/request-path.js'
import { hostileTexts } from './hostile.js'
import { hold, holdPlain, orOwnError, type Target } from './target.js'

const ADDRESSES = [
  '203.0.113.9', '0.0.0.0', '255.255.255.255', '::', '::1', '2001:db8:0:ab00::1', '::ffff:203.0.113.9', '::ffff:cb00:7109', '64:ff9b::203.0.113.9',
  'fe80::1%eth0', '2001:db8:1:2:3:4:5:6', 'unknown', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8'
]

const readers = [1, 16, 47, 56, 64, 65, 112, 128].map((bits) => new AddressReader(bits))

const address: Target = {
  name: 'address',
  inputs: hostileTexts(ADDRESSES, ['::ffff:', '%', '/56', '127.1', '0177.0.0.1', 'g', 'ffff']),
  check (input) {
    for (const reader of readers) {
      const { id, partition } = reader.toClient(input)
      hold(partition === `ip:${id}` && /^[\da-f:./]{2,50}$|^unknown$/.test(id), `the client ${id}`)
      hold(reader.toClient(input).id === id, 'another client the second time')
      hold(reader.parseClient(id)?.id === id, `${id} is read back as ${reader.parseClient(id)?.id}`)
      hold(isAddress(input) === (id !== UNKNOWN), `${id} of ${isAddress(input) ? 'an address' : 'no address'}`)
    }
    const whole = canonicalizeAddress(input, 128)
    hold(whole === null || canonicalizeAddress(whole, 128) === whole, `${whole} is not canonical`)
  }
}

const PROXY = '10.0.0.1'
const trusted = ['10.0.0.0/8', 'fc00::/7']
const proxies = new TrustedProxies(trusted, 'trustedProxies')
const trustedNetworks = createNetworks(trusted, 'trustedProxies')

function findForwarded (header: string): string | undefined {
  const raw = { socket: { remoteAddress: PROXY }, headers: { 'x-forwarded-for': header }, rawHeaders: [] }
  return proxies.findAddress({ raw, server: { server: {} } } as unknown as FastifyRequest)
}

const forwarded: Target = {
  name: 'forwarded',
  inputs: hostileTexts(
    [...ADDRESSES, '6.6.6.6, 203.0.113.9, 10.0.0.2', '[2001:db8::1]:443, "203.0.113.9:80"', '10.0.0.3,, [fc00::2], ::ffff:10.0.0.9', ','.repeat(200)],
    [', ', '10.0.0.4, ', 'for=', ':443', '" ', ' '.repeat(100)]
  ),
  check (input) {
    const found = findForwarded(input)
    hold(found !== undefined && isAddress(found), `${found} is no address`)
    hold(found === PROXY || input.includes(found), `${found} is not in the header`)
    // Whom the client is does not depend on what the client has written to the left of it.
    if (trustedNetworks.has(found)) return
    for (const left of ['6.6.6.6', '10.0.0.7', '"', 'x'.repeat(300)]) hold(findForwarded(`${left},${input}`) === found, `${left} makes another client`)
  }
}

const networks: Target = {
  name: 'networks',
  inputs: hostileTexts(['10.0.0.0/8', '203.0.113.9', '2001:db8::/32', '::ffff:10.0.0.0/104', 'fe80::1%eth0', 'loopback', 'private', '::/0'], ['/', '/0', '/33', '/129', '/08']),
  check (input) {
    const cidrs = orOwnError('ips[0]', () => parseCidrs([input], 'ips'))
    if (cidrs === null) return
    const set = createNetworks([input], 'ips')
    for (const { address, family, bits } of cidrs) {
      hold(Number.isInteger(bits) && bits >= 0 && bits <= (family === 'ipv4' ? 32 : 128), `${bits} bits`)
      // A shorter prefix than that of mapped addresses is one of IPv6.
      hold(set.has(address) || (family === 'ipv6' && bits < 96), `${input} has not ${address}`)
    }
  }
}

const reader = readers[3]

const partition: Target = {
  name: 'partition',
  inputs: hostileTexts(
    ['ip:203.0.113.9', 'ip:2001:db8:0:ab00::/56', 'user:42', 'key:abc', 'global', 'ip:unknown', `user#${'A'.repeat(43)}`, `key:${'k'.repeat(129)}`], ['user:', 'key#', 'ip:', '/56']
  ),
  check (input) {
    const parsed = orOwnError('partition', () => parsePartition(input, reader))
    if (parsed === null) return
    hold(parsed.length > 0 && parsed.length <= 133, `${parsed.length} characters`)
    hold(parsePartition(formatPartition(parsed), reader) === parsed, `${parsed} is read back as another`)
    const client = parsePartitionClient(input, reader, 'standard')
    hold(client.kind === 'ip' ? client.id === parsed : client.partition === parsed, `${client.partition} is the client of ${parsed}`)
  }
}

const PATHS = ['sub', 'app.plan.tier', 'https://example.com/tier', '__proto__', 'constructor.name', 'a.a.a.a.a.a']
const PAYLOADS: readonly unknown[] = [
  { sub: '42', tier: 'premium', anchor: 1_790_000_000 }, { sub: 42, app: { plan: { tier: 'gold' } } }, { 'https://example.com/tier': 'x', 'app.plan': { tier: 1 } },
  { a: { a: { a: { a: { a: { a: 1 } } } } }, 'a.a': { 'a.a': { 'a.a': 2 } } }, { sub: '2026-01-31T00:00:00Z' }, { sub: [], constructor: { name: 'x' } }
]

const claims: Target = {
  name: 'claims',
  inputs: hostileTexts(PAYLOADS.map((payload) => JSON.stringify(payload)), ['"__proto__":', '"a.a":', '"sub":', '2026-02-30T00:00:00Z', '253402300800', '-62167219200']),
  check (input) {
    const payload = parseJson(input)
    for (const path of PATHS) {
      const value = findClaim(payload, path)
      hold(typeof value !== 'function', `${path} is inherited`)
      const [id, tier, anchorMs] = [parseUserId(value), parseTier(value), parseAnchorMs(value)]
      hold(id === null || id !== '', 'an empty user')
      hold(tier === null || (tier !== '' && tier.length <= 64), `the tier ${tier}`)
      hold(anchorMs === null || (Number.isSafeInteger(anchorMs) && Math.abs(anchorMs) <= 253_402_300_800_000), `the anchor ${anchorMs}`)
    }
  }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const NOW_US = 1_790_000_123_456_789
const HOUR_US = 3_600_000_000
const YEAR_US = 366 * 24 * HOUR_US
const temporal = await loadTemporal()

const anchor: Target = {
  name: 'anchor',
  inputs: hostileTexts(['1790000123', '-62167219200.001', '253402300799.999', '"2024-02-29T23:59:59.999+14:00"', '"0000-01-01T00:00Z"', '9007199254.740993'], ['.', '9', '-', 'e5']),
  check (input) {
    const anchorMs = parseAnchorMs(parseJson(input))
    if (anchorMs === null) return
    for (const unit of ['hour', 'day', 'week', 'month', 'year'] as const) {
      for (const timeZone of ['UTC', 'Australia/Lord_Howe']) {
        for (const us of [NOW_US, NOW_US - NOW_US % HOUR_US - 1, NOW_US - NOW_US % HOUR_US]) {
          const { startUs, endUs } = findPeriod(temporal, { unit, timeZone, anchorMs }, us)
          hold(Number.isSafeInteger(startUs) && startUs <= us && us < endUs && endUs - startUs <= YEAR_US, `${unit} of ${us}: ${startUs} to ${endUs}`)
        }
      }
    }
  }
}

const URLS = [
  '/', '/a/b?c=d#e', '/files/../admin', '//host/path', '/a%2fb%252e%252e/c', '/a;v=1/b', '\\\\host\\path', 'http://example.com/a?b', 'http:a', 'HTTPS://EXAMPLE.com#x', '*', '/%ff/%', '/./a//b/'
]
/** Those of a path that may be any. */
const MAX_READINGS = MAX_READ_SEGMENTS + 1

const flags = [true, false]
const routers = flags.flatMap((isCaseSensitive) => flags.flatMap((endsAtSemicolon) => flags.map((ignoresDuplicateSlashes) => {
  return { isCaseSensitive, endsAtSemicolon, ignoresDuplicateSlashes, ignoresTrailingSlash: endsAtSemicolon }
})))

const path: Target = {
  name: 'path',
  inputs: hostileTexts(URLS, ['/../', '%2e%2e', '%2F', '%5c', '/'.repeat(200), 'http://', '/..;/']),
  check (input) {
    for (const options of routers) {
      const readings = interpretRawPath(input, options)
      hold(readings.length > 0 && readings.length <= MAX_READINGS, `${readings.length} readings`)
      hold(readings.every(({ length }) => length <= MAX_READ_SEGMENTS), 'a longer reading than any pattern')
      hold(readStaticPath(input, options).startsWith('/'), 'a path without a slash')
      holdPlain(readings)
    }
  }
}

export const clientTargets: readonly Target[] = [address, forwarded, networks, partition, claims, anchor, path]
