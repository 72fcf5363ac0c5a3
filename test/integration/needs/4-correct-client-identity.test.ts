// Unmet need 4 of the peers' users: the client is told right behind proxies, in IPv6, and where it is exempt.
import t from 'tap'
import { startService } from './service.js'

const warned: string[] = []
process.on('warning', ({ code = '' }: Error & { code?: string }) => { if (code !== 'FST_SLUICE_WARN_SHORT_WINDOW') warned.push(code) })
const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })

t.test('clients behind a trusted proxy have limits of their own, by the address that the proxy saw', async (t) => {
  const { send, statuses } = await startService(t, { max: 2, timeWindow: '1 hour', trustedProxies: ['127.0.0.1/32'] }, (app) => {
    app.get('/', async ({ rateLimit }) => rateLimit?.client.id)
  })
  t.strictSame(await statuses(3, from('203.0.113.9')), [200, 200, 429])
  t.strictSame(await statuses(1, from('203.0.113.10')), [200])
  t.strictSame(await statuses(1, from('1.2.3.4, 203.0.113.9')), [429], 'what the client wrote itself changes nothing')
  t.strictSame(await statuses(1, from('203.0.113.9:4711')), [429], 'nor does a port')
  t.strictSame(await statuses(1, from('::ffff:203.0.113.9')), [429], 'nor another way to write it')
  t.equal((await send({ ...from('203.0.113.9'), from: '127.0.0.2' })).body, '127.0.0.2', 'whoever is no trusted proxy is the client')
  t.strictSame(warned, [])
})

t.test('an IPv6 subscriber is one client, and exempt by the full address only', async (t) => {
  const { statuses } = await startService(t, {
    max: 2, timeWindow: '1 hour', trustedProxies: ['loopback'], exempt: { ips: ['2001:db8:0:ab00::7', '2001:db8:f::/48'] }
  }, (app) => { app.get('/', async () => 'hello') })
  t.strictSame([
    ...await statuses(1, from('2001:db8:0:ab00::1')), ...await statuses(1, from('2001:db8:0:abff::1')), ...await statuses(1, from('2001:db8:0:ab01::1'))
  ], [200, 200, 429])
  t.strictSame(await statuses(4, from('2001:db8:0:ab00::7')), [200, 200, 200, 200])
  t.strictSame(await statuses(4, from('2001:db8:f:1::1')), [200, 200, 200, 200])
  t.strictSame(await statuses(1, from('2001:db8:0:ab00::8')), [429], 'the exemption is not the subnet\'s')
})

t.test('a forwarding header while no proxy is trusted makes no client, and warns', async (t) => {
  const { statuses } = await startService(t, { max: 2, timeWindow: '1 hour' }, (app) => { app.get('/', async () => 'hello') })
  t.strictSame([...await statuses(1, from('203.0.113.1')), ...await statuses(1, from('203.0.113.2')), ...await statuses(1, from('203.0.113.3'))], [200, 200, 429])
  await new Promise(setImmediate)
  t.strictSame(warned, ['FST_SLUICE_WARN_UNTRUSTED_FORWARDED_FOR'])
})
