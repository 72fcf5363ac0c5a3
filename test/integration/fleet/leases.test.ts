// Processes that lease from one Redis: whatever happens to them, they grant no more than burst plus rate in any interval.
// `neededBurst` counts only what was surely granted in an interval, so that no delay of a process looks like an over-grant.
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startRedis } from '../../fixtures/redis-server.js'
import { startLeaseFleet, type FleetGrant, type LeaseFleet } from '../../fixtures/lease-fleet.js'
import { sharedUs, type NodeLimit, type NodeReport, type Stream } from '../../fixtures/lease-node.js'
import { countUnits, neededBurst, ROUNDING } from '../../fixtures/needed-burst.js'

const SECOND_US = 1_000_000
const { url } = await startRedis(t)

/** Per second. */
function limitOf (bucket: string, max: number, settings: NodeLimit['settings'] = {}): NodeLimit {
  return { settings: { bucket, max, windowUs: SECOND_US, ...settings } }
}

function describe (grants: readonly FleetGrant[], needed: number, burst: number): string {
  const leased = countUnits(grants.filter(({ isLeased }) => isLeased))
  return `${countUnits(grants)} granted, ${leased} of leases, needed burst ${needed.toFixed(3)} of ${burst}`
}

/** Check each limit of each stream. */
function checkBounds (t: Test, fleet: LeaseFleet, streams: readonly Stream[], bursts = 1): void {
  for (const [i, { name, limits }] of streams.entries()) {
    for (const [j, { settings: { max = 0, windowUs = SECOND_US, burst = max } }] of limits.entries()) {
      const grants = fleet.grants(i, j)
      const needed = neededBurst(grants, max / windowUs)
      t.comment(`${name}: ${describe(grants, needed, burst)}`)
      t.ok(grants.some(({ isLeased }) => isLeased), `${name}: units were leased`)
      t.ok(needed <= bursts * burst + ROUNDING, `${name}: ${needed} needed`)
    }
  }
}

function sumOf (reports: readonly NodeReport[], name: 'torn' | 'unavailable' | 'lapsedUnits'): number {
  return reports.reduce((sum, report) => sum + report[name], 0)
}

t.test('ten times the rate, with a process that is stopped for three seconds and one that is killed', async (t) => {
  const fleet = await startLeaseFleet(t, url)
  const limits = [limitOf('app/overload', 300)]
  const load = fleet.load([{ name: 'overload', limits, phases: [[1000, 750]] }], 8000)
  await sleep(2000)
  fleet.nodes[1].signal('SIGSTOP')
  await sleep(3000)
  fleet.nodes[1].signal('SIGCONT')
  fleet.nodes[2].signal('SIGKILL')
  const reports = await load
  t.equal(reports.length, 3)
  t.equal(sumOf(reports, 'unavailable'), 0)
  const grants = fleet.grants()
  const needed = neededBurst(grants, 300 / SECOND_US)
  const ideal = 300 + 300 * (grants[grants.length - 1].fromUs - grants[0].untilUs) / SECOND_US
  const share = countUnits(grants) / ideal
  t.comment(`${describe(grants, needed, 300)}, ${share.toFixed(4)} of the ideal`)
  t.ok(needed <= 300 + ROUNDING)
  t.ok(share >= 0.95)
  // On a machine that is too busy, leases arrive late and lapse.
  t.ok(share + sumOf(reports, 'lapsedUnits') / ideal >= 0.99)
})

t.test('four processes', async (t) => {
  const fleet = await startLeaseFleet(t, url)

  t.test('bursts, mixed costs, several limits, refunds, and limits in shadow mode', async (t) => {
    const streams: readonly Stream[] = [
      // The interval of 700 in a second is 1428 4/7 microseconds.
      { name: 'bursts', limits: [limitOf('app/bursts', 700)], phases: [[800, 50], [200, 1000]] },
      { name: 'costs', limits: [limitOf('app/costs', 700, { burst: 300 })], costs: [1, 2, 3, 4, 5, 5, 40, 301], phases: [[700, 40], [300, 150]] },
      { name: 'two limits', limits: [limitOf('app/two', 300), limitOf('app/three', 400, { by: 'global' })], costs: [1, 1, 3], phases: [[600, 40], [400, 200]] },
      { name: 'refunds', limits: [limitOf('app/refunds', 300)], refunds: 0.3, phases: [[700, 60], [300, 500]] },
      { name: 'shadow', limits: [limitOf('app/shadow', 300, { mode: 'shadow' })], phases: [[700, 50], [300, 400]] },
      { name: 'enforced and shadow', limits: [limitOf('app/four', 300), limitOf('app/five', 200, { mode: 'shadow' })], phases: [[700, 40], [300, 300]] }
    ]
    const reports = await fleet.load(streams, 6000)
    t.equal(sumOf(reports, 'unavailable'), 0)
    t.equal(sumOf(reports, 'torn'), 0, 'all or none')
    checkBounds(t, fleet, streams)
    t.equal(countUnits(fleet.grants(2, 0)), countUnits(fleet.grants(2, 1)), 'both limits were charged the same')
  })

  t.test('a reset in the middle grants one more burst at most', async (t) => {
    const limits = [limitOf('app/reset', 500)]
    const streams = Array.from({ length: 7 }, () => ({ name: 'reset', limits, phases: [] as const })).map((stream, i) => {
      return { ...stream, phases: i === 6 ? [[300, 60], [300, 700]] as const : [[1000, 0]] as const }
    })
    const load = fleet.load(streams, 3500)
    await sleep(1800)
    // A process that has no leases resets; the others go on with theirs until their ends.
    const outsider = await startLeaseFleet(t, url, 1, { keyPrefix: fleet.keyPrefix })
    await outsider.nodes[0].run({ do: 'reset', limits })
    const resetUs = sharedUs()
    await load
    const grants = fleet.grants(6)
    const needed = neededBurst(grants, 500 / SECOND_US)
    t.comment(describe(grants, needed, 500))
    t.ok(needed <= 2 * 500 + ROUNDING)
    const later = neededBurst(grants.filter(({ fromUs }) => fromUs > resetUs + SECOND_US), 500 / SECOND_US)
    t.ok(later <= 500 + ROUNDING, `a lease's life later, ${later} of one`)
  })
})

t.test('processes that are stopped with leases in hand, while another one takes all that there is', async (t) => {
  const fleet = await startLeaseFleet(t, url)
  const limits = [limitOf('app/stopped', 600)]
  const [sweeper, ...holders] = fleet.nodes
  const stream: Stream = { name: 'stopped', limits, phases: [[1000, 120]] }
  const sweep = async () => { await sweeper.run({ do: 'load', streams: [{ ...stream, phases: [[1000, 5000]] }], ms: 300 }) }
  const held = holders.map((node) => node.run({ do: 'load', streams: [stream], ms: 4500 }))
  // For less than a lease's life, and for more. Nothing else is taken in the meantime: units that drain too early, or are spent
  // too late, are over once another process takes all that there is.
  for (const stoppedMs of [300, 1300]) {
    await sleep(800)
    for (const node of holders) node.signal('SIGSTOP')
    await sleep(stoppedMs)
    const swept = sweep()
    for (const node of holders) node.signal('SIGCONT')
    await swept
  }
  await Promise.all(held)
  checkBounds(t, fleet, [stream])
})

t.test('a window grants its units once, and those that a process did not spend are given back', async (t) => {
  const fleet = await startLeaseFleet(t, url)
  const limits = [limitOf('app/window', 400, { algorithm: 'fixed-window', windowUs: 1.5 * SECOND_US })]
  await fleet.load([{ name: 'window', limits, phases: [[700, 30], [300, 150]] }], 4600)
  const grants = fleet.grants()
  t.ok(grants.some(({ isLeased }) => isLeased))
  const windows = groupByWindow(grants, 1.5 * SECOND_US)
  t.comment(windows.map(countUnits).join(' '))
  for (const window of windows) t.ok(countUnits(window) <= 400)

  // A window of ten minutes gains nothing: after the leases of three processes have ended, the fourth takes what they left.
  const long = [limitOf('app/long-window', 400, { algorithm: 'fixed-window', windowUs: 600 * SECOND_US })]
  const [last, ...first] = fleet.nodes
  const stream: Stream = { name: 'long', limits: long, phases: [[1000, 30]] }
  const skip: Stream = { name: 'none', limits, phases: [[1000, 0]] }
  await Promise.all(first.map((node) => node.run({ do: 'load', streams: [skip, stream], ms: 1500 })))
  await sleep(3500)
  await last.run({ do: 'load', streams: [skip, { ...stream, phases: [[1000, 500]] }], ms: 1500 })
  t.equal(countUnits(fleet.grants(1)), 400, 'every unit of the window was granted')
})

/** Grants by the window in which they were made. The ends that processes know differ by the time of a call. */
function groupByWindow (grants: readonly FleetGrant[], windowUs: number): FleetGrant[][] {
  const byEnd = [...grants].sort((a, b) => a.endUs - b.endUs)
  const windows: FleetGrant[][] = []
  for (const grant of byEnd) {
    const window = windows[windows.length - 1]
    if (window !== undefined && grant.endUs - window[0].endUs < windowUs / 2) window.push(grant)
    else windows.push([grant])
  }
  return windows
}

t.test('a process that shuts down under load gives its units back', async (t) => {
  const fleet = await startLeaseFleet(t, url)
  // It gains two units a minute.
  const limits = [limitOf('app/shutdown', 20_000, { windowUs: 600_000 * SECOND_US })]
  const stream: Stream = { name: 'shutdown', limits, phases: [[1000, 400]] }
  const load = fleet.load([stream], 3000)
  await sleep(2500)
  const [first, second, ...rest] = fleet.nodes
  const closed = await first.close()
  await load
  const lapsed = [closed]
  for (const node of rest) lapsed.push(await node.close())
  const { numbers: [remaining] } = await second.run({ do: 'peek', limits })
  lapsed.push(await second.close())
  const used = 20_000 - remaining
  const grants = fleet.grants()
  t.comment(`${countUnits(grants)} granted, ${used} used, ${sumOf(lapsed, 'lapsedUnits')} lapsed`)
  t.ok(grants.some(({ isLeased }) => isLeased))
  t.ok(used >= countUnits(grants) - 1, 'none was given back that was spent')
  t.ok(used <= countUnits(grants) + sumOf(lapsed, 'lapsedUnits') + 1, 'and all that were not')
})

t.test('a block ends the leases of the process that sees it at once, and all others within a lease\'s life', async (t) => {
  const fleet = await startLeaseFleet(t, url, 3)
  const penalty = { bucket: 'app/penalty', strikes: 3, withinUs: 60 * SECOND_US, cooldownUs: 60 * SECOND_US, factor: 1, maxCooldownUs: 60 * SECOND_US }
  const limits = [limitOf('app/penalty', 1000, { penalty })]
  const load = fleet.load([{ name: 'penalty', limits, phases: [[1000, 200]] }], 4500)
  await sleep(3000)
  const beforeUs = sharedUs()
  await fleet.nodes[0].run({ do: 'strike', limits })
  const blockedUs = sharedUs()
  await load
  const grants = fleet.grants()
  t.ok(grants.some(({ isLeased, fromUs }) => isLeased && fromUs < beforeUs && fromUs > beforeUs - SECOND_US), 'units were leased')
  t.strictSame(grants.filter(({ node, fromUs }) => node === 0 && fromUs > blockedUs), [], 'here')
  t.strictSame(grants.filter(({ fromUs }) => fromUs > blockedUs + SECOND_US), [], 'elsewhere')
})

t.test('ten a minute for twenty processes is exactly that', async (t) => {
  const fleet = await startLeaseFleet(t, url, 20)
  const limits = [limitOf('app/ten', 10, { windowUs: 60 * SECOND_US })]
  await fleet.load([{ name: 'ten', limits, phases: [[1000, 20]] }], 6500)
  const grants = fleet.grants()
  t.notOk(grants.some(({ isLeased }) => isLeased))
  const needed = neededBurst(grants, 10 / (60 * SECOND_US))
  t.ok(needed <= 10 + ROUNDING)
  // A unit is due every six seconds. The bound says that it is not one more.
  t.ok(countUnits(grants) >= 11)
})
