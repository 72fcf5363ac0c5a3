import t from 'tap'
import { limitedApp } from '../fixtures/app.js'

const senders: ReadonlyArray<readonly [partition: string, headers: Record<string, string>, remoteAddress: string]> = [
  ['ip:203.0.113.9', {}, '203.0.113.9'],
  ['ip:2001:db8:0:ab00::/56', {}, '2001:db8:0:ab12::1'],
  ['key:abc', { 'x-key': 'abc' }, '203.0.113.9'],
  ['key#', { 'x-key': 'k'.repeat(200) }, '203.0.113.9']
]

for (const [partition, headers, remoteAddress] of senders) {
  t.test(`the partition of a request is one for peek, reset and blocked: ${partition}`, async (t) => {
    const { app } = await limitedApp(t, {
      max: 1,
      timeWindow: '1 minute',
      penalty: { strikes: 1, cooldown: '1 minute' },
      keyGenerator: ({ headers }) => String(headers['x-key'] ?? '')
    })
    let seen = ''
    app.get('/who', { onSend: async (request) => { seen = request.rateLimit?.client.partition ?? '' } }, async ({ rateLimit }) => rateLimit?.client)
    const ask = () => app.inject({ url: '/who', headers, remoteAddress })
    const { partition: sent } = (await ask()).json()
    t.ok(sent.startsWith(partition))
    t.equal(seen, sent, 'the same in JSON')
    t.match(await app.rateLimit.peek(seen), [{ remaining: 0 }])
    await ask()
    t.match((await app.rateLimit.blocked()).blocked, [{ partition: seen }])
    t.ok(await app.rateLimit.reset(seen) > 0)
    t.equal((await ask()).statusCode, 200)
  })
}
