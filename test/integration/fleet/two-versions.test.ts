import t, { type Test } from 'tap'
import { flood, request, startFleet, type FleetNode } from '../../fixtures/fleet.js'
import { shareRedis } from '../../fixtures/redis-server.js'

const OLD = 60
const NEW = 100
const ALGORITHMS = ['token-bucket', 'fixed-window', 'sliding-window'] as const

t.test('while two versions of a policy are deployed, no client gets a fresh bucket:', async (t) => {
  const { url } = await shareRedis()
  // A bucket gains a unit in six minutes: none during the test.
  const routesOf = (max: number) => Object.fromEntries(ALGORITHMS.flatMap((algorithm) => ['turns', 'mixed'].map((way) => (
    [`/${way}/${algorithm}`, { max, timeWindow: '10 hours', algorithm, by: 'global' }] as const
  ))))
  const fleet = await startFleet(t, [OLD, NEW, OLD, NEW].map((max) => ({ redis: url, routes: routesOf(max) })))
  const [older, newer] = fleet

  for (const algorithm of ALGORITHMS) {
    t.test(`${algorithm}, one version after the other`, async (t) => {
      const path = `/turns/${algorithm}`
      const spent = await spend(t, [older], path, 20)
      t.ok(spent >= 20)
      const { body: { remaining } } = await request(newer, path, { cost: 0 })
      t.equal(remaining, NEW - spent, 'the new version knows what was used under the old')
      t.equal(await spend(t, [newer], path, 3 * NEW), NEW - spent)
      t.equal((await request(newer, path)).status, 429)
    })

    t.test(`${algorithm}, both at once`, async (t) => {
      const path = `/mixed/${algorithm}`
      const granted = await spend(t, fleet, path, 800)
      t.comment(`${granted} granted under limits of ${OLD} and ${NEW}`)
      t.ok(granted >= OLD, 'not less than the smaller')
      t.ok(granted <= OLD + NEW, 'not more than the sum')
      for (const node of fleet) t.equal((await request(node, path)).status, 429, 'all refuse from here on')
    })
  }
})

/** Send so many requests, or a few more; answers how many were granted. */
async function spend (t: Test, fleet: readonly FleetNode[], path: string, requests: number): Promise<number> {
  const statuses = await flood(fleet, path, 5, (sent) => sent >= requests)
  t.strictSame([...statuses.keys()].filter((status) => status !== 200 && status !== 429), [])
  return statuses.get(200) ?? 0
}
