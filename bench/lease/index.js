import { setTimeout as delay } from 'node:timers/promises'
import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { startRedisServer } from '../redis/redis-server.js'
import { paired, rotated, spread } from '../statistics.js'
import { leaseContestants, REFERENCE } from './contestants.js'
import { measureTakes } from './takes.js'
import { limitOf, traffic } from './traffic.js'

/** What leases replace. */
const BASELINE = 'exact'

/** Rivals are in the races of the main goals. The others compare leases with what we have without them. */
const ALL = Object.keys(leaseContestants)
const OURS = ['memory', 'leased', 'exact']
const races = { uniform: ALL, hot: ALL, zipf: OURS, cold: OURS, halfBusy: OURS, flood: OURS }

/** Leases over HTTP, beside the memory store and checks that each ask the same Redis; and the cost of one leased unit. */
export async function measureLeases (settings) {
  const redis = await startRedisServer()
  try {
    const results = {}
    for (const [kind, names] of Object.entries(races)) results[kind] = await race({ redis, kind, names, settings })
    return { settings, version: redis.version, races: results, takes: await measureTakes(redis.target, settings.takes) }
  } finally {
    redis.end()
  }
}

/** Servers are started anew every few rounds: one process is faster than its twin by a fifth for as long as it lives. */
async function race ({ redis, kind, names, settings }) {
  const { roundsPerProcess, warmUpSeconds } = settings
  const rounds = names === ALL ? settings.rounds : settings.shortRounds
  const { title } = traffic[kind]
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  const load = startChild(new URL('load.js', import.meta.url), { args: [kind] })
  try {
    for (let round = 0; round < rounds;) {
      await redis.client.flushdb()
      const servers = await startServers(names, kind, redis)
      try {
        progress(`leases, ${title}: warm up`)
        for (const name of rotated(names, round)) {
          await loadOne({ load, redis, server: servers.get(name), kind, settings: { ...settings, leadInSeconds: 0, seconds: warmUpSeconds[name] } })
        }
        for (const last = Math.min(round + roundsPerProcess, rounds); round < last; round++) {
          progress(`leases, ${title}: round ${round + 1} of ${rounds}`)
          for (const name of rotated(names, round)) samples[name].push(await loadOne({ load, redis, server: servers.get(name), kind, settings }))
        }
      } finally {
        for (const { child } of servers.values()) child.end()
      }
    }
  } finally {
    load.end()
  }
  return names.map((name) => summary(name, samples))
}

async function startServers (names, kind, redis) {
  return new Map(await Promise.all(names.map(async (name) => {
    const child = startChild(new URL('server.js', import.meta.url), { args: [name, kind, JSON.stringify(redis.target)] })
    return [name, { child, port: await child.ask('port') }]
  })))
}

/** One slice of a load that began before it. Questions to all processes are asked at once, so that all count the same time. */
async function loadOne ({ load, redis, server, kind, settings: { connections, leadInSeconds, seconds } }) {
  const usage = async () => ({ cpu: await server.child.ask('cpu'), ...await redis.usage() })
  await load.ask({ task: 'start', port: server.port, connections })
  await delay(leadInSeconds * 1000)
  const [before] = await Promise.all([usage(), load.ask({ task: 'count' })])
  await delay(seconds * 1000)
  const [after, counted] = await Promise.all([usage(), load.ask({ task: 'stop' })])
  requireStatuses(kind, counted)
  const perRequest = (figure) => (after[figure] - before[figure]) / counted.requests
  return {
    perSecond: counted.requests / counted.seconds,
    passedOfDue: (counted.statuses['200'] ?? 0) / counted.seconds * limitOf(kind).timeWindow / 1000 / limitOf(kind).max,
    cpuUs: perRequest('cpu'),
    calls: perRequest('calls'),
    redisCpuUs: perRequest('cpuUs'),
    p50Ms: counted.p50Ms,
    p95Ms: counted.p95Ms,
    p99Ms: counted.p99Ms
  }
}

function requireStatuses (kind, { requests, statuses }) {
  const passed = statuses['200'] ?? 0
  const refused = statuses['429'] ?? 0
  const isExpected = traffic[kind].isRefusing ? passed + refused === requests && refused > 0 : passed === requests
  if (!isExpected) throw new Error(`a contestant answered otherwise than it should: ${JSON.stringify(statuses)}`)
}

function summary (name, samples) {
  const figures = (of, name) => samples[name].map((sample) => sample[of])
  const ratio = (of, reference) => paired(figures(of, name), figures(of, reference), (a, b) => a / b)
  return {
    name,
    title: leaseContestants[name].title,
    perSecond: spread(figures('perSecond', name)),
    ratio: ratio('perSecond', REFERENCE),
    ratioOfBaseline: ratio('perSecond', BASELINE),
    passedOfDue: spread(figures('passedOfDue', name)),
    cpuUs: spread(figures('cpuUs', name)),
    cpuRatio: ratio('cpuUs', REFERENCE),
    calls: spread(figures('calls', name)),
    callsOfBaseline: ratio('calls', BASELINE),
    redisCpuUs: spread(figures('redisCpuUs', name)),
    p50Ms: spread(figures('p50Ms', name)),
    p95Ms: spread(figures('p95Ms', name)),
    p99Ms: spread(figures('p99Ms', name)),
    extraP99Ms: paired(figures('p99Ms', name), figures('p99Ms', REFERENCE), (a, b) => a - b),
    samples: samples[name]
  }
}
