// One history: starts servers and instances, lets clients visit them while the faults of a seed happen, and writes all of it down.
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { sleep } from '../fixtures/until.js'
import { machineUs } from './clock.js'
import { HistoryWriter, type Fault } from './history.js'
import { Instances } from './instances.js'
import { Load } from './load.js'
import { DEADLINE_MS, OPEN_FOR_MS, POLICIES, TIMES, toPluginOptions } from './policies.js'
import type { Topology } from './promises.js'
import { createSchedule, type PlannedFault } from './schedule.js'
import { startServers } from './servers.js'
import { Watch } from './watch.js'

export interface RunOptions {
  readonly seed: number
  readonly topology: Topology
  readonly lengthMs: number
  /** Requests per second, all clients together, at most. */
  readonly ratePerSecond: number
  /** Connections of greedy clients to each instance: with more, there are more requests at once, and more in all. */
  readonly connectionsPerSlot: number
  /** The file of the package. */
  readonly packageUrl: string
  /** Where the history is written. */
  readonly path: string
  readonly hasFaults?: boolean
  /** Only requests under this policy. */
  readonly only?: string
}

const SLOTS = 4
/** Faults after which another server is the primary. */
const CHANGES_ROLES: ReadonlySet<string> = new Set(['failover', 'primary killed', 'planned failover'])

let runs = 0

export async function recordHistory (t: Pick<Test, 'teardown'>, options: RunOptions): Promise<{ readonly decisions: number }> {
  const { seed, topology, lengthMs, ratePerSecond, connectionsPerSlot, packageUrl, path, hasFaults = true, only } = options
  const servers = await startServers(t, topology, SLOTS)
  const writer = new HistoryWriter(path, { seed, topology, slots: SLOTS, policies: POLICIES.map(({ promise }) => promise), times: TIMES })
  const beginUs = machineUs()
  const nowUs = () => machineUs() - beginUs
  const keyPrefix = `histories-${process.pid}-${runs++}:`
  const { routes, rule } = toPluginOptions()
  const instances = await Instances.start(t, {
    slots: SLOTS,
    setupOf: (slot) => ({
      packageUrl,
      routes,
      options: {
        redis: servers.targetOf(slot), keyPrefix, deadline: DEADLINE_MS, breaker: { openFor: OPEN_FOR_MS }, environment: false, rules: [rule], metrics: false, health: false
      }
    }),
    onStall (slot, fromUs, untilUs) { writer.fault({ kind: 'stall', slot, fromUs: fromUs - beginUs, untilUs: untilUs - beginUs }) }
  })
  const record = (fault: Fault) => { writer.fault(fault) }
  const watch = new Watch(servers.ports, record, nowUs)
  const startUs = nowUs()
  const load = new Load({ seed, slots: SLOTS, instances, writer, nowUs, beginUs, ratePerSecond, connectionsPerSlot, only })
  const { store, instances: ofInstances } = createSchedule({ seed, topology, lengthMs, slots: SLOTS })
  if (hasFaults) {
    await Promise.all([
      play(store, { startUs, nowUs, record }, async (fault, over) => {
        // Of a Cluster, the other primaries are seen to change too, until all have their replicas again.
        if (CHANGES_ROLES.has(fault.kind)) watch.beginFailover(topology === 'cluster' ? Infinity : 1)
        await servers.inject(fault, over)
        await watch.endFailover()
      }),
      play(ofInstances, { startUs, nowUs, record }, async (fault, over) => { await instances.inject(fault).then(over) })
    ])
  }
  await sleep(Math.max(1, lengthMs - (nowUs() - startUs) / 1000))
  await load.stop()
  watch.end()
  await writer.end()
  return { decisions: writer.decisions }
}

interface Playing {
  readonly startUs: number
  readonly nowUs: () => number
  readonly record: (fault: Fault) => void
}

/** Let the faults of a list happen, one after the other, and write each down. */
async function play<Kind extends string> (
  faults: ReadonlyArray<PlannedFault<Kind>>, { startUs, nowUs, record }: Playing, inject: (fault: PlannedFault<Kind>, over: () => void) => Promise<void>
): Promise<void> {
  for (const fault of faults) {
    await delay(Math.max(0, fault.atMs - (nowUs() - startUs) / 1000))
    const fromUs = nowUs()
    await inject(fault, () => { record({ kind: fault.kind, fromUs, untilUs: nowUs(), ...fault.slot < 0 ? {} : { slot: fault.slot } }) })
  }
}
