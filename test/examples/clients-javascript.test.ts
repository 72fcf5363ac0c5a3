import t from 'tap'
import { politeFetch } from '../../examples/clients/polite-fetch.js'
import { pauseMs, startRetryServer, toStatuses } from '../fixtures/polite-server.js'
import { until } from '../fixtures/until.js'

t.test('a client that fetches politely', async (t) => {
  const { origin, seen } = await startRetryServer(t)
  const swift = politeFetch({ backoffMs: 1, slowBelow: 0 })

  t.test('comes back when it was told, and is let in', async (t) => {
    const response = await swift(`${origin}/one`)
    t.equal(response.status, 200)
    t.equal(await response.text(), 'hello')
    t.strictSame(toStatuses(seen('/one')), [200, 429, 200])
    t.ok(seen('/one')[1].retryAfterMs >= 1000 && pauseMs(seen('/one'), 1) >= seen('/one')[1].retryAfterMs)
  })

  t.test('reads a date by the clock of the server', async (t) => {
    t.equal((await swift(`${origin}/dated`)).status, 200)
    t.strictSame(toStatuses(seen('/dated')), [503, 200])
    t.ok(pauseMs(seen('/dated'), 0) >= 1000)
  })

  t.test('gives up at once where no wait helps', async (t) => {
    const response = await swift(`${origin}/closed`)
    t.equal(response.status, 429)
    t.match(await response.json(), { title: 'Quota Exceeded' }, 'the body of what it answers can be read')
    t.equal(seen('/closed').length, 1)
  })

  t.test('gives up at once when told to wait longer than it may', async (t) => {
    t.equal((await swift(`${origin}/hourly`)).status, 429)
    t.equal((await politeFetch({ maxWaitMs: Infinity, maxTotalMs: 60_000, slowBelow: 0 })(`${origin}/hourly`)).status, 429)
    t.strictSame(toStatuses(seen('/hourly')), [200, 429, 429])
  })

  t.test('asks again where a 503 names no time', async (t) => {
    t.equal((await swift(`${origin}/busy`)).status, 200)
    t.strictSame(toStatuses(seen('/busy')), [503, 503, 200])
  })

  t.test('sends a bounded number of requests', async (t) => {
    t.equal((await politeFetch({ maxAttempts: 3 })(`${origin}/down`)).status, 503)
    t.equal(seen('/down').length, 3)
  })

  t.test('does not repeat a POST that may have been processed', async (t) => {
    t.equal((await swift(`${origin}/post`, { method: 'POST', body: 'once' })).status, 503)
    t.equal(seen('/post').length, 1)
    await t.rejects(swift(`${origin}/cut-post`, { method: 'POST', body: 'once' }), TypeError)
  })

  t.test('repeats a POST that is known to be harmless twice', async (t) => {
    const unsafe = politeFetch({ backoffMs: 1, retryUnsafe: true, maxAttempts: 2 })
    await unsafe(`${origin}/post?told`, { method: 'POST', body: 'told' })
    t.strictSame(seen('/post?told').map(({ body }) => body), ['told', 'told'])
    await swift(`${origin}/post?keyed`, { method: 'POST', body: 'keyed', headers: { 'idempotency-key': '7' } })
    t.equal(seen('/post?keyed').length, 5)
  })

  t.test('repeats a POST that was refused, body and all', async (t) => {
    const response = await swift(new Request(`${origin}/one?post`, { method: 'POST', body: 'text', headers: { 'content-type': 'text/plain' } }))
    t.equal(response.status, 200)
    t.strictSame(seen('/one?post').filter(({ status, body }) => status === 200 && body !== '').map(({ body }) => body), ['text'])
    t.ok(toStatuses(seen('/one?post')).includes(429))
  })

  t.test('sends a stream only once', async (t) => {
    const body = new Blob(['text']).stream()
    t.equal((await politeFetch({ retryUnsafe: true })(`${origin}/post?stream`, { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'text/plain' } })).status, 503)
    t.equal(seen('/post?stream').length, 1)
  })

  t.test('survives a connection that breaks', async (t) => {
    t.equal((await swift(`${origin}/cut`)).status, 200)
  })

  t.test('ends when its signal says so, while it waits too', async (t) => {
    const controller = new AbortController()
    const asked = politeFetch({ slowBelow: 0 })(`${origin}/one?abort`, { signal: controller.signal })
    const reason = new Error('enough')
    await until('a refusal', 10_000, () => toStatuses(seen('/one?abort')).includes(429))
    controller.abort(reason)
    await t.rejects(asked, reason)
    await t.rejects(swift(`${origin}/five`, { signal: AbortSignal.abort(reason) }), reason)
  })

  t.test('ends when its time is over, though the server never answers', async (t) => {
    await t.rejects(politeFetch({ maxTotalMs: 50 })(`${origin}/silent`), { name: 'TimeoutError' })
  })

  for (const path of ['/five', '/draft']) {
    t.test(`slows down before ${path} refuses`, async (t) => {
      const polite = politeFetch()
      for (let sent = 0; sent < 7; sent++) await (await polite(`${origin}${path}`)).text()
      t.strictSame(toStatuses(seen(path)), Array.from({ length: 7 }, () => 200))
    })
  }

  t.test('spreads calls that are made at once', async (t) => {
    const polite = politeFetch({ slowBelow: 1 })
    await (await polite(`${origin}/crowded`)).text()
    // One more than is left, unless they are spread.
    await Promise.all(Array.from({ length: 5 }, () => polite(`${origin}/crowded`)))
    t.strictSame(toStatuses(seen('/crowded')), Array.from({ length: 6 }, () => 200))
  })
})
