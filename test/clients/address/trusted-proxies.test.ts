import { once } from 'node:events'
import { request as ask, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { TrustedProxies } from '../../../lib/clients/address/trusted-proxies.js'
import { createIdentifyingApp, identifySender } from '../../fixtures/tokens.js'

const CLIENT = '203.0.113.9'
const PROXY = '10.0.0.1'

/** The address that is derived from a peer and a header. */
function derived (trusted: readonly string[], peer: string | undefined, header: string | string[] | undefined, socket: Partial<Socket> = {}): string | undefined {
  const raw = { socket: { remoteAddress: peer, localAddress: '10.0.0.9', destroyed: false, ...socket }, headers: { 'x-forwarded-for': header }, rawHeaders: [] }
  return new TrustedProxies(trusted, 'trustedProxies').findAddress({ raw, server: { server: {} } } as unknown as FastifyRequest)
}

const rows: ReadonlyArray<readonly [peer: string, header: string | string[] | undefined, address: string, why: string]> = [
  [CLIENT, undefined, CLIENT, 'nobody forwards'],
  [CLIENT, '6.6.6.6', CLIENT, 'a client that is no proxy is not believed'],
  [PROXY, undefined, PROXY, 'a proxy that asks for itself'],
  [PROXY, CLIENT, CLIENT, 'one proxy'],
  [PROXY, `6.6.6.6, ${CLIENT}`, CLIENT, 'the leftmost entry is what the client wrote'],
  [PROXY, `${CLIENT}, 10.0.0.2`, CLIENT, 'two proxies'],
  [PROXY, `6.6.6.6,${CLIENT},10.0.0.2,10.0.0.3`, CLIENT, 'three, and a forged entry'],
  [PROXY, `10.0.0.7, ${CLIENT}, 10.0.0.2`, CLIENT, 'a forged entry that names a proxy'],
  [PROXY, '10.0.0.3, 10.0.0.2', '10.0.0.3', 'proxies only: the leftmost'],
  [PROXY, `\t ${CLIENT} \t`, CLIENT, 'white space'],
  [PROXY, ['6.6.6.6', CLIENT], CLIENT, 'several header lines'],
  [PROXY, `6.6.6.6, ${CLIENT}, `, CLIENT, 'an empty element is none'],
  [PROXY, ',,,', PROXY, 'nothing but empty elements'],
  [PROXY, '', PROXY, 'an empty header'],
  [PROXY, `${CLIENT}:1234`, CLIENT, 'a port'],
  [PROXY, '[2001:db8::1]:443', '2001:db8::1', 'brackets and a port'],
  [PROXY, '[2001:db8::1]', '2001:db8::1', 'brackets'],
  [PROXY, '2001:db8::1', '2001:db8::1', 'IPv6 bare'],
  [PROXY, '2001:db8::1:443', '2001:db8::1:443', 'without brackets there is no port'],
  [PROXY, '"[2001:db8::1]:443"', '2001:db8::1', 'quotes'],
  [PROXY, `"${CLIENT}"`, CLIENT, 'quotes around IPv4'],
  [PROXY, `${CLIENT}, [::ffff:10.0.0.2]:80`, CLIENT, 'a trusted proxy by its mapped address, with a port'],
  [`::ffff:${PROXY}`, CLIENT, CLIENT, 'the peer by its mapped address'],
  [PROXY, 'fe80::1%eth0', 'fe80::1%eth0', 'a zone'],
  [PROXY, '6.6.6.6, unknown', PROXY, 'an unreadable entry: the proxy that wrote it'],
  [PROXY, '6.6.6.6, _hidden, 10.0.0.2', '10.0.0.2', 'an unreadable entry behind a second proxy'],
  [PROXY, '6.6.6.6, 127.1', PROXY, 'an address in an old spelling'],
  [PROXY, `6.6.6.6, ${CLIENT}:`, PROXY, 'a port without a number'],
  [PROXY, `6.6.6.6, ${CLIENT}:123456`, PROXY, 'a port of too many digits'],
  [PROXY, '6.6.6.6, [2001:db8::1', PROXY, 'an open bracket'],
  [PROXY, '6.6.6.6, "', PROXY, 'a lone quote'],
  [PROXY, `for=${CLIENT}`, PROXY, 'the syntax of another header'],
  [PROXY, `6.6.6.6, ${CLIENT}${' '.repeat(200)}`, PROXY, 'an entry blown up with white space']
]
for (const [peer, header, address, why] of rows) {
  t.test(`from ${peer} with ${JSON.stringify(header)} the client is ${address} (${why})`, async (t) => {
    t.equal(derived(['10.0.0.0/8'], peer, header), address)
  })
}

t.test('no more than 64 entries are read, from the right', async (t) => {
  const proxies = (count: number) => Array.from({ length: count }, (_, index) => `10.1.0.${index}`).join(', ')
  t.equal(derived(['10.0.0.0/8'], PROXY, `${CLIENT}, ${proxies(63)}`), CLIENT)
  t.equal(derived(['10.0.0.0/8'], PROXY, `${CLIENT}, ${proxies(64)}`), '10.1.0.0')
  t.equal(derived(['10.0.0.0/8'], PROXY, `${CLIENT}${','.repeat(64)}`), PROXY)
})

t.test('a header of 64 kB is not read to its beginning', async (t) => {
  const read = { characters: 0 }
  const counted = (text: string) => new Proxy(Object(text), {
    get (target, name) {
      const member = Reflect.get(target, name)
      if (name === 'charCodeAt') return (at: number) => { read.characters++; return text.charCodeAt(at) }
      return typeof member === 'function' ? member.bind(text) : member
    }
  })
  for (const noise of [','.repeat(65_536), '6'.repeat(65_536), '6.6.6.6,'.repeat(8192), ' '.repeat(65_536)]) {
    // As an array of one line, whose `join` answers a text that tells how it is read.
    const lines = Object.assign([noise], { join: () => counted(`${noise}, ${CLIENT}`) })
    t.equal(derived(['10.0.0.0/8'], PROXY, lines), CLIENT)
    Object.assign(lines, { join: () => counted(noise) })
    derived(['10.0.0.0/8'], PROXY, lines)
  }
  t.ok(read.characters < 8 * 64 * 100, `${read.characters} characters`)
})

t.test('a header of a thousand forged entries changes nothing', async (t) => {
  t.equal(derived(['10.0.0.0/8'], PROXY, `${'6.6.6.6, '.repeat(1000)}2001:db8:aaaa:bbbb::1, 10.0.0.2`), '2001:db8:aaaa:bbbb::1')
})

t.test('a peer without an address is a proxy only if it is a Unix socket\'s and those are trusted', async (t) => {
  const unix = { localAddress: undefined }
  t.equal(derived(['unix'], undefined, CLIENT, unix), CLIENT)
  t.equal(derived(['unix', 'loopback'], undefined, `${CLIENT}, 127.0.0.1`, unix), CLIENT)
  t.equal(derived(['unix'], undefined, undefined, unix), undefined)
  t.equal(derived(['loopback'], undefined, CLIENT, unix), undefined, 'not trusted')
  t.equal(derived(['unix'], undefined, CLIENT), undefined, 'a TCP connection that was reset')
  t.equal(derived(['unix'], undefined, CLIENT, { ...unix, destroyed: true }), undefined, 'a connection that was closed')
  t.equal(derived(['unix'], '127.0.0.1', CLIENT), '127.0.0.1', 'a TCP peer')
})

t.test('a proxy behind a Unix socket forwards, and whoever comes by TCP does not', async (t) => {
  const app = createIdentifyingApp(t, { trustedProxies: ['unix'] })
  const socketPath = join(tmpdir(), `sluice-forwarded-${process.pid}.sock`)
  await app.app.listen({ path: socketPath })
  const [response]: IncomingMessage[] = await once(ask({ socketPath, path: '/', agent: false, headers: { 'x-forwarded-for': `6.6.6.6, ${CLIENT}` } }).end(), 'response')
  response.resume()
  t.match(app.found, [{ kind: 'ip', partition: `ip:${CLIENT}` }])
})

t.test('repeated header lines are one list, in their order', async (t) => {
  const app = createIdentifyingApp(t, { trustedProxies: ['loopback'] })
  const { port } = new URL(await app.app.listen({ port: 0, host: '127.0.0.1' }))
  const socket = connect(Number(port), '127.0.0.1')
  socket.end(`GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: ${CLIENT}\r\nX-Forwarded-For: 127.0.0.2\r\nConnection: close\r\n\r\n`)
  socket.resume()
  await once(socket, 'close')
  t.match(app.found, [{ partition: CLIENT }])
})

t.test('all spellings of an address, and all addresses of a /56, are one client behind a proxy', async (t) => {
  const app = createIdentifyingApp(t, { trustedProxies: ['private'] })
  const from = (address: string) => identifySender(app, { url: '/', remoteAddress: PROXY, headers: { 'x-forwarded-for': address } })
  for (const text of [CLIENT, `::ffff:${CLIENT}`, '::ffff:cb00:7109', `${CLIENT}:1`, `[::ffff:${CLIENT}]:1`]) t.equal((await from(text)).partition, `ip:${CLIENT}`, text)
  for (const text of ['2001:db8:0:ab00::1', '2001:db8:0:abff:ffff::', '[2001:db8:0:ab01::1]:80']) t.equal((await from(text)).partition, 'ip:2001:db8:0:ab00::/56', text)
  t.equal((await from('2001:db8:0:ac00::1')).partition, 'ip:2001:db8:0:ac00::/56')
})

t.test('trustedProxies decides in place of trustProxy', async (t) => {
  const raw = { socket: { remoteAddress: CLIENT, localAddress: '10.0.0.9' }, headers: { 'x-forwarded-for': '6.6.6.6' } }
  const { identifier } = createIdentifyingApp(t, { trustedProxies: [] })
  const request = { raw, headers: raw.headers, ip: '6.6.6.6' } as unknown as FastifyRequest
  t.equal(identifier.identifyByAddress(request).id, CLIENT)
  t.equal(identifier.getAddress(request), CLIENT)
})

t.test('the full address is told as it came, and what is none is unknown', async (t) => {
  const { identifier } = createIdentifyingApp(t, {})
  const at = (ip: string | undefined) => identifier.getAddress({ ip, headers: {} } as unknown as FastifyRequest)
  t.equal(at('2001:db8::1'), '2001:db8::1')
  t.equal(at('::ffff:1.2.3.4'), '::ffff:1.2.3.4')
  for (const text of [undefined, '', 'garbage', 'x'.repeat(70_000), `::${'%'.repeat(80)}`]) t.equal(at(text), 'unknown')
})

t.test('a wrong entry is refused with its place', async (t) => {
  t.throws(() => new TrustedProxies(['unix', 'loopback', '10.0.0.0/33'], 'rateLimit.trustedProxies'), {
    code: 'FST_SLUICE_BAD_OPTION',
    message: 'rateLimit.trustedProxies[2]: expected an address or a CIDR such as "10.0.0.0/8", "loopback", "private" or "unix", got "10.0.0.0/33"'
  })
})
