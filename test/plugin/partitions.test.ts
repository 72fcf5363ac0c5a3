import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { remainders, statuses } from '../fixtures/app.js'
import { createStoreApp, requestAs, byHeaders, eachStore } from '../fixtures/each-store.js'

const window = { timeWindow: '10 hours' } as const
const from = (remoteAddress: string, user?: string) => ({ url: '/', remoteAddress, headers: user === undefined ? {} : { user } })

const four: NonNullable<RateLimitOptions['limits']> = [
  { name: 'client', max: 5, ...window },
  { name: 'address', max: 8, by: 'ip', ...window },
  { name: 'user', max: 4, by: 'user', ...window },
  { name: 'all', max: 12, by: 'global', ...window }
]

t.test('on each store', async (t) => {
  for (const store of await eachStore()) {
    t.test(`${store.name}: limits by client, ip, user and for all hold on one request, all or none`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, limits: four })
      app.get('/violated', async () => 'none')
      const usedOf = async (partition: string) => (await app.rateLimit.peek(partition))
        .map(({ name, limit, remaining }) => `${name} ${limit - remaining}`)
      t.strictSame(await statuses(app, 5, from('192.0.2.1', '1')), [200, 200, 200, 200, 429], 'four by user')
      t.strictSame(await statuses(app, 5, from('192.0.2.1', '2')), [200, 200, 200, 200, 429], 'and eight by address')
      t.strictSame((await app.inject(from('192.0.2.1', '3'))).json()['violated-policies'], ['address'])
      t.strictSame(await statuses(app, 5, from('192.0.2.2', '3')), [200, 200, 200, 200, 429], 'twelve of all')
      t.strictSame((await app.inject(from('192.0.2.3'))).json()['violated-policies'], ['all'])
      t.strictSame(await usedOf('user:3'), ['client 4', 'user 4'])
      t.strictSame(await usedOf('global'), ['all 12'])
      t.strictSame(await usedOf('ip:192.0.2.1'), ['client 0', 'address 8', 'user 0'])
      t.strictSame(await usedOf('ip:192.0.2.3'), ['client 0', 'address 0', 'user 0'], 'a refused request costs nothing anywhere')
    })

    t.test(`${store.name}: who is no user is not charged by the limit of users, where another limit holds`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, headers: 'ratelimit', limits: four })
      t.strictSame(await statuses(app, 6), [200, 200, 200, 200, 200, 429], 'five by client')
      const { ratelimit } = (await app.inject(from('192.0.2.7'))).headers
      t.notMatch(ratelimit, '"user"')
    })

    t.test(`${store.name}: with limits of users only, others are charged by their address with the same numbers`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        identify: byHeaders, limits: [{ name: 'short', max: 2, by: 'user', ...window }, { name: 'long', max: 3, by: 'user', ...window }]
      })
      t.strictSame(await statuses(app, 3, requestAs('1')), [200, 200, 429])
      t.strictSame(await statuses(app, 3), [200, 200, 429])
      t.strictSame(await statuses(app, 3, from('192.0.2.1')), [200, 200, 429])
      t.strictSame(await remainders(app, requestAs('2')), [1])
      t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 2)
      t.strictSame(await statuses(app, 1), [200])
    })

    t.test(`${store.name}: beside a limit on trial they are, too`, async (t) => {
      const { app } = await createStoreApp(t, store, {
        identify: byHeaders, limits: [{ name: 'own', max: 2, by: 'user', ...window }, { name: 'trial', max: 1, by: 'ip', mode: 'shadow', ...window }]
      })
      t.strictSame(await statuses(app, 3), [200, 200, 429])
    })

    t.test(`${store.name}: a key without a user is charged by its address for limits of users`, async (t) => {
      const { app } = await createStoreApp(t, store, { identify: byHeaders, max: 2, by: 'user', ...window, keyGenerator: ({ headers }) => String(headers.key) })
      const keyed = (key: string) => ({ url: '/', headers: { key } })
      t.strictSame([...await statuses(app, 1, keyed('a')), ...await statuses(app, 2, keyed('b'))], [200, 200, 429])
    })

    t.test(`${store.name}: the addresses of an IPv6 subnet are one client, of IPv4 in IPv6 each is its own`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: 9, ...window })
      t.strictSame(await remainders(app,
        from('2001:db8:0:ab00::1'), from('2001:db8:0:abff:ffff::9'), from('2001:0DB8:0000:AB12::'), from('2001:db8:0:ac00::1'),
        from('::ffff:192.0.2.1'), from('192.0.2.1'), from('::ffff:192.0.2.2')
      ), [8, 7, 6, 8, 8, 7, 8])
      t.match(await app.rateLimit.peek('ip:2001:db8:0:ab77::1'), [{ remaining: 6 }])
      t.equal(await app.rateLimit.reset('ip:2001:db8:0:ab77::1'), 1)
    })

    t.test(`${store.name}: ipv6Subnet says how wide`, async (t) => {
      const { app } = await createStoreApp(t, store, { max: 9, ipv6Subnet: 64, ...window })
      t.strictSame(await remainders(app, from('2001:db8:0:ab00::1'), from('2001:db8:0:ab00::2'), from('2001:db8:0:ab01::1')), [8, 7, 8])
    })
  }
})
