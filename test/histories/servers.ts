// The servers of a history, and the faults that are done to them.
import type { Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { startCluster, type ClusterNode, type TestCluster } from '../fixtures/cluster.js'
import { startRedis } from '../fixtures/redis-server.js'
import { callServer, PRIMARY_NAME, startSentinelGroup } from '../fixtures/sentinel.js'
import { startProxy } from '../fixtures/tcp-proxy.js'
import { sleep, until } from '../fixtures/until.js'
import type { Topology } from './promises.js'
import type { PlannedFault, StoreFault } from './schedule.js'

export interface Servers {
  /** Ports of all servers with data. */
  readonly ports: readonly number[]
  /** What the instance of a slot connects to. */
  targetOf (slot: number): NonNullable<RateLimitOptions['redis']>
  /** Do this to the servers. `over` is called when the servers answer again; it resolves when the next fault may come. */
  inject (fault: PlannedFault<StoreFault>, over: () => void): Promise<void>
}

type Owner = Pick<Test, 'teardown'>

const PATIENCE_MS = 30_000
const LATE_MS = 1000
const SLOW_MS = 80
const DOWN_AFTER_MS = 2500

export async function startServers (t: Owner, topology: Topology, slots: number): Promise<Servers> {
  switch (topology) {
    case 'single': return await startSingle(t, slots)
    case 'sentinel': return await startSentinels(t)
    case 'cluster': return await startNodes(t)
    default: return topology satisfies never
  }
}

async function waitForReply (port: number): Promise<void> {
  await until('a server that answers', PATIENCE_MS, async () => (await callServer(port, ['PING'])) === 'PONG')
}

/** Faults that are the same for each server. Returns whether this is one of them. */
async function injectCommand ({ kind, forMs }: PlannedFault<StoreFault>, ports: readonly number[], over: () => void): Promise<boolean> {
  const callAll = async (...command: readonly string[]) => { await Promise.all(ports.map((port) => callServer(port, command))) }
  switch (kind) {
    case 'redis paused':
      await callAll('CLIENT', 'PAUSE', String(forMs), 'ALL')
      await sleep(forMs)
      await Promise.all(ports.map(waitForReply))
      break
    case 'clients killed':
      await callAll('CLIENT', 'KILL', 'TYPE', 'normal')
      break
    case 'scripts flushed':
      await callAll('SCRIPT', 'FLUSH')
      break
    case 'flushed':
      await callAll('FLUSHALL')
      break
    default: return false
  }
  over()
  return true
}

/** One server, and a proxy before it for each instance. */
async function startSingle (t: Owner, slots: number): Promise<Servers> {
  const server = await startRedis(t)
  const proxies = await Promise.all(Array.from({ length: slots }, async () => await startProxy(t, server.port)))
  return {
    ports: [server.port],
    targetOf: (slot) => proxies[slot].url,
    async inject (fault, over) {
      const { kind, forMs, slot } = fault
      if (await injectCommand(fault, [server.port], over)) return
      const proxy = proxies[Math.max(0, slot)]
      switch (kind) {
        case 'redis stopped':
          server.signal('SIGSTOP')
          await sleep(forMs)
          server.signal('SIGCONT')
          await waitForReply(server.port)
          break
        case 'redis killed':
          await server.stop()
          await sleep(forMs)
          await server.restart()
          break
        case 'slow replies':
        case 'late':
          proxy.faults.latencyMs = kind === 'late' ? LATE_MS : SLOW_MS
          await sleep(forMs)
          proxy.faults.latencyMs = 0
          if (kind === 'late') await sleep(LATE_MS)
          break
        case 'cut': {
          proxy.faults.resetNextReply = true
          await until('a reply that is cut', PATIENCE_MS, () => !proxy.faults.resetNextReply)
          break
        }
        case 'half open':
          proxy.abandon()
          break
        case 'refused':
          await proxy.refuse()
          await sleep(forMs)
          await proxy.accept()
          break
        default: throw new Error(`a single server has no fault "${kind}"`)
      }
      over()
    }
  }
}

async function startSentinels (t: Owner): Promise<Servers> {
  // On a busy machine, a server that is not stopped must not count as down.
  const group = await startSentinelGroup(t, { downAfterMs: DOWN_AFTER_MS })
  const ports = group.servers.map(({ port }) => port)
  const askSentinel = async (at: number) => {
    const [, port] = await callServer(group.sentinels[at].port, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', PRIMARY_NAME]) as [string, string]
    return group.servers.find((server) => server.port === Number(port)) ?? group.servers[0]
  }
  const findKnown = async () => await askSentinel(0)
  // On a busy machine, another failover may follow by itself.
  const waitUntilWhole = async () => {
    await until('two replicas in step', PATIENCE_MS, async () => {
      const { port } = await findKnown()
      return String(await callServer(port, ['INFO', 'replication'])).match(/state=online/g)?.length === 2
    })
  }
  return {
    ports,
    targetOf: () => group.target,
    async inject (fault, over) {
      const primary = await findKnown()
      const { kind } = fault
      if (await injectCommand(fault, [primary.port], over)) return
      if (kind !== 'failover' && kind !== 'primary killed') throw new Error(`a group of sentinels has no fault "${kind}"`)
      if (kind === 'primary killed') await primary.stop()
      else await until('a failover', PATIENCE_MS, async () => (await group.call('SENTINEL', 'FAILOVER', PRIMARY_NAME)) === 'OK')
      await until('a new primary', PATIENCE_MS, async () => await group.findPrimary(primary))
      // Until then, it accepts writes that are lost.
      if (kind === 'failover') await until('the demotion', PATIENCE_MS, async () => (await callServer(primary.port, ['ROLE']) as [string])[0] === 'slave')
      // A server that starts again before all sentinels name another one is a primary for some instances, with no data.
      await Promise.all(group.sentinels.map((_, at) => until('a sentinel that knows', PATIENCE_MS, async () => (await askSentinel(at)).port !== primary.port)))
      over()
      if (kind === 'primary killed') await primary.restart()
      await waitUntilWhole()
    }
  }
}

async function startNodes (t: Owner): Promise<Servers> {
  const cluster: TestCluster = await startCluster(t, { hasReplicas: true })
  const shards = cluster.primaries.map((primary, i): { primary: ClusterNode, replica: ClusterNode } => ({ primary, replica: cluster.replicas[i] }))
  const ports = shards.flatMap(({ primary, replica }) => [primary.port, replica.port])
  return {
    ports,
    targetOf: () => ({ cluster: [...cluster.target.cluster] }),
    async inject (fault, over) {
      const { kind, choice } = fault
      if (await injectCommand(fault, shards.map(({ primary }) => primary.port), over)) return
      if (kind !== 'planned failover' && kind !== 'primary killed') throw new Error(`a Cluster has no fault "${kind}"`)
      const shard = shards[choice % shards.length]
      const { primary, replica } = shard
      if (kind === 'primary killed') await primary.stop()
      else await callServer(replica.port, ['CLUSTER', 'FAILOVER'])
      await until('a new primary', PATIENCE_MS, async () => (await callServer(replica.port, ['ROLE']) as [string])[0] === 'master')
      const living = ports.filter((port) => kind === 'planned failover' || port !== primary.port)
      await Promise.all(living.map((port) => until('a cluster that is well', PATIENCE_MS, async () => {
        return String(await callServer(port, ['CLUSTER', 'INFO'])).includes('cluster_state:ok')
      })))
      over()
      shard.primary = replica
      shard.replica = primary
      if (kind === 'primary killed') await primary.restart()
      await until('a replica in step', PATIENCE_MS, async () => String(await callServer(primary.port, ['INFO', 'replication'])).includes('master_link_status:up'))
    }
  }
}
