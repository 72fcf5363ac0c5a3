import t, { type Test } from 'tap'
import { limitedApp, statuses } from '../../fixtures/app.js'
import { createClusterApp, waitForDecision, RESUMED_WITHIN_MS } from '../../fixtures/cluster-app.js'
import { fetchKeys, startSentinelGroup, type GroupCredentials } from '../../fixtures/sentinel.js'
import { until } from '../../fixtures/until.js'

const ofSentinels = { username: 'watcher', password: 'of-the-sentinels' } as const
const ofData = { password: 'of-the-data' } as const

const cases: ReadonlyArray<readonly [who: string, credentials: GroupCredentials]> = [
  ['a password of their own', { sentinelAuth: { password: 'of-the-sentinels' } }],
  ['a user and a password of their own, other than those of the data', { sentinelAuth: ofSentinels, dataAuth: ofData }]
]

for (const [who, credentials] of cases) {
  t.test(`sentinels with ${who} are asked with them`, async (t) => {
    const group = await startSentinelGroup(t, credentials)
    const { send } = await createClusterApp(t, { redis: group.target, max: 1, timeWindow: '1 hour' })
    t.equal(await send('client'), 200)
    t.equal(await send('client'), 429)
    t.equal((await fetchKeys(group.servers[0].port, 'client', credentials.dataAuth)).length, 1, 'the primary counted')
  })
}

t.test('what protects sentinels and data keeps no instance from the new primary', async (t) => {
  const group = await startSentinelGroup(t, { sentinelAuth: ofSentinels, dataAuth: ofData })
  const { send } = await createClusterApp(t, { redis: group.target, max: 5, timeWindow: '1 hour' })
  t.equal(await send('client'), 200)
  const [killed] = group.servers
  killed.signal('SIGKILL')
  const primary = await until('a new primary', 30_000, async () => await group.findPrimary(killed))
  const promotedMs = performance.now()
  const resumedMs = await waitForDecision(async (client) => await fetchKeys(primary.port, client, ofData), send) - promotedMs
  t.comment(`Redis decides ${Math.round(resumedMs)} ms after the promotion`)
  t.ok(resumedMs < RESUMED_WITHIN_MS)
})

t.test('with wrong credentials an application starts, and the failure mode holds', async (t) => {
  const group = await startSentinelGroup(t, { sentinelAuth: ofSentinels, dataAuth: ofData })
  const wrongs = [
    ['a wrong password of the sentinels', { sentinelPassword: 'of-nobody' }, /^SENTINEL_WRONGPASS$/],
    ['a wrong user of the sentinels', { sentinelUsername: 'nobody' }, /^SENTINEL_WRONGPASS$/],
    ['none for the sentinels', { sentinelUsername: undefined, sentinelPassword: undefined }, /^SENTINEL_NOAUTH$/],
    ['a wrong password of the data', { password: 'of-nobody' }, /^WRONGPASS$/]
  ] as const
  for (const [why, wrong, code] of wrongs) {
    t.test(why, async (t) => { await startsInFailureMode(t, { ...group.target, ...wrong }, code) })
  }
})

async function startsInFailureMode (t: Test, redis: { readonly name?: string }, code: RegExp): Promise<void> {
  const { app, log } = await limitedApp(t, { redis, breaker: { failures: 1_000_000 }, max: 2, timeWindow: '1 hour' })
  app.get('/closed', { config: { rateLimit: { groupId: 'closed', failureMode: 'closed' } } }, async () => 'hello')
  await app.ready()
  t.strictSame(await statuses(app, 3), [200, 200, 429], 'local')
  t.equal((await app.inject('/closed')).statusCode, 503, 'closed')
  await until('the fault is known', 30_000, async () => {
    await app.inject('/')
    const { status, lastError } = await app.rateLimit.health()
    return status === 'degraded' && lastError !== null && code.test(lastError)
  })
  t.notMatch(JSON.stringify(log), /of-nobody|of-the-data|of-the-sentinels/, 'no secret is logged')
}
