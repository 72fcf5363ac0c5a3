import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'
import { scaleToLane } from '../fixtures/lane.js'

t.test('a URL of 16 kB is counted like any other', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  t.strictSame(await statuses(app, 3, `/${'a/'.repeat(8192)}?${'b'.repeat(100)}`), [404, 404, 429])
})

t.test('headers in odd encodings change nothing', async (t) => {
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', keyGenerator: ({ headers }) => String(headers['x-key']) })
  const key = (text: string) => ({ url: '/', headers: { 'x-key': text } })
  t.strictSame(await remainders(app, key('\xff\xfe'), key('\xff\xfd'), key('%00'), key('\t'), key('__proto__'), key('{a}:b'), key('\xff\xfe')), [8, 8, 8, 8, 8, 8, 7])
})

t.test('keys with any text in them are apart', async (t) => {
  const texts = ['\0', '\0\0', '\ud800', 'é', 'e\u0301', '\u{1f600}', 'constructor', '"', '","', ' ']
  let next = 0
  const { app } = await limitedApp(t, { max: 9, timeWindow: '1 minute', keyGenerator: () => texts[next++ % texts.length] })
  t.strictSame(await remainders(app, ...texts.map(() => '/')), texts.map(() => 8))
  t.strictSame(await remainders(app, ...texts.map(() => '/')), texts.map(() => 7))
})

t.test('many clients are held in the room of 100, and nobody erases what he used', async (t) => {
  const { app } = await limitedApp(t, {
    max: 3, timeWindow: '1 hour', algorithm: 'fixed-window', memory: { maxKeys: 100 }, keyGenerator: ({ headers }) => String(headers['x-key'])
  })
  const key = (text: string) => ({ url: '/', headers: { 'x-key': text } })
  const clients = scaleToLane(10_000)
  t.strictSame(await statuses(app, 4, key('me')), [200, 200, 200, 429])
  for (let i = 0; i < clients; i++) await app.inject(key(`other ${i}`))
  t.strictSame(await statuses(app, 1, key('me')), [429])
  t.match(await app.rateLimit.metrics?.metrics(), /^rate_limit_memory_keys 100$/m)
  const standings = await Promise.all(Array.from({ length: clients }, (_, i) => app.rateLimit.peek(`key:other ${i}`)))
  t.strictSame(standings.filter(([{ remaining }]) => remaining > 2), [], 'all others count too, some of them together')
})

t.test('an upgrade to WebSocket is an ordinary request', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' }
  t.strictSame(await statuses(app, 3, { url: '/', headers }), [200, 200, 429])
})

t.test('over a socket the address is the peer\'s, and a refusal is whole', async (t) => {
  const { app, clock } = await limitedApp(t, { max: 1, timeWindow: '1 minute' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal((await fetch(url)).status, 200)
  const refused = await fetch(url)
  t.equal(refused.status, 429)
  t.equal(refused.headers.get('retry-after'), '60')
  t.match(await refused.json(), { title: 'Quota Exceeded' })
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0 }])
  clock.advance(60 * SECOND)
  t.equal((await fetch(url)).status, 200)
})

t.test('requests pipelined on one connection are all counted', async (t) => {
  const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute' })
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4) + 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const text = (await socket.setEncoding('latin1').toArray()).join('')
  t.strictSame(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 429', 'HTTP/1.1 429'])
})

t.test('an unfinished body costs nothing more than its request', async (t) => {
  const { app } = await limitedApp(t, { max: 3, timeWindow: '1 minute' })
  app.post('/', async () => 'posted')
  const answer = await app.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload: '{"broken' })
  t.equal(answer.statusCode, 400)
  t.equal(answer.headers['x-ratelimit-remaining'], '2')
})
