import { CEILING } from './contestants/index.js'
import { traffic } from './lease/traffic.js'
import { count, countWithSpread, table, withSpread } from './markdown.js'

/** The results as Markdown, to be pasted into docs/speed.md. */
export function report ({ machine, isQuick, parts }) {
  return [
    describe(machine, isQuick),
    ...Object.entries(parts).map(([part, results]) => sections[part](results))
  ].join('\n\n')
}

const sections = { http, inProcess, checks, growth, redis, lease, start, simulate, adaptive }

function describe (machine, isQuick) {
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`).join(', ')
  return [
    `Measured with \`npm run bench${isQuick ? ' -- --quick' : ''}\` on ${machine.cores} cores of ${machine.cpu}, ` +
    `${machine.memoryGiB} GiB, ${machine.system}, Node.js ${machine.node}; ${packages}. ` +
    `Load average at the start: ${machine.loadAverage.toFixed(1)}.`,
    'Figures are medians of interleaved rounds, with the quartiles in brackets.'
  ].join('\n')
}

function http ({ settings, passing, refusing }) {
  return [
    '#### Over HTTP',
    `${settings.connections} keep-alive connections from one address, ${settings.rounds} rounds of ${settings.seconds} s. ` +
    'Ratios are medians of the rounds\' own ratios; processor time is the server\'s, and scatters less where other programs run.',
    table(
      ['nothing refused', 'requests per second', 'of the ceiling', 'µs of processor per request', 'of the ceiling', 'p99, ms'],
      passing.map((row) => [
        row.name === CEILING ? `${row.title} (the ceiling)` : row.title,
        countWithSpread(row.perSecond), withSpread(row.ratio, 2), withSpread(row.cpuUs, 1), withSpread(row.cpuRatio, 2), row.p99Ms.median.toFixed(0)
      ])
    ),
    table(
      ['everything refused', 'requests per second', 'of the first', 'µs of processor per request'],
      refusing.map((row) => [row.title, countWithSpread(row.perSecond), withSpread(row.ratio, 2), withSpread(row.cpuUs, 1)])
    )
  ].join('\n\n')
}

function inProcess ({ settings, rows }) {
  return [
    '#### In process',
    'Processor time of a request through Fastify without the network, and how much of it is above writing the three ' +
    `headers; ${count(settings.clients)} clients, ${settings.rounds} rounds of ${count(settings.requests)} requests.`,
    table(
      ['', 'clients', 'ns per request', 'above three headers, ns'],
      rows.map((row) => [row.title, row.family, countWithSpread(row.ns), withSpread(row.extraNs, 0, { isSigned: true })])
    )
  ].join('\n\n')
}

function checks ({ keys, max, algorithm }) {
  return [
    '#### One check',
    'Nanoseconds for everything but the headers: find the policy, identify, charge, decide. Each is the first of a new connection, in random order.',
    keysTable(keys),
    table(
      ['fastify-sluice, by `max`', 'ns', 'refused'],
      max.map((row) => [`${row.title}, ${count(row.keys)} keys`, countWithSpread(row.ns), `${(row.refusedShare * 100).toFixed(0)} %`])
    ),
    table(
      ['fastify-sluice, 1,000 keys', 'ns'],
      algorithm.map((row) => [row.title, countWithSpread(row.ns)])
    )
  ].join('\n\n')
}

function keysTable (rows) {
  const keys = [...new Set(rows.map((row) => row.keys))]
  const lines = [...new Set(rows.map((row) => `${row.title}, ${row.family}`))]
  return table(
    ['keys', ...keys.map(count)],
    lines.map((name) => [name, ...keys.map((number) => {
      const row = rows.find(({ title, family, keys }) => `${title}, ${family}` === name && keys === number)
      return row === undefined ? '' : countWithSpread(row.ns)
    })])
  )
}

function growth ({ keys, bytesPerKey, pauseMs, pauseOutsideGcMs, samples }) {
  return [
    `#### ${count(keys)} keys in memory`,
    table(
      [`median of ${samples.length}, and the worst`, '', ''],
      [
        ['bytes per key, with whatever else the plugin holds', bytesPerKey.median.toFixed(1), bytesPerKey.max.toFixed(1)],
        ['longest pause while growing, without garbage collection, ms', pauseOutsideGcMs.median.toFixed(1), pauseOutsideGcMs.max.toFixed(1)],
        ['the same with it, ms', pauseMs.median.toFixed(1), pauseMs.max.toFixed(1)]
      ]
    )
  ].join('\n\n')
}

function redis ({ settings, version, passing, latency, refusing, connections, cluster, bytes }) {
  const throughput = (heading, rows) => table(
    [heading, 'requests per second', 'of the incumbent', 'script calls per request', 'µs in scripts', 'µs of Redis', 'µs of the server'],
    rows.map((row) => [
      row.title, countWithSpread(row.perSecond), withSpread(row.ratio, 2), row.calls.median.toFixed(3),
      row.scriptUs.median.toFixed(1), row.redisCpuUs.median.toFixed(1), row.cpuUs.median.toFixed(1)
    ])
  )
  return [
    '#### On Redis',
    `Redis ${version} on the same machine, without persistence; ${settings.connections} keep-alive connections, ${settings.clients} clients by a header, ` +
    `${settings.rounds} rounds of ${settings.seconds} s, in new processes after every ${settings.roundsPerProcess}. The incumbent is @fastify/rate-limit; ratios are medians of the rounds' own ratios, times are per request.`,
    throughput('nothing refused', passing),
    `Requests that arrive at ${countWithSpread(latency.find(({ name }) => name === 'sluice').perSecond)} a second, half of what fastify-sluice could answer just before, without each round's first ${settings.leadInSeconds} s; milliseconds, and above the one that asks no Redis.`,
    table(
      ['', 'p50', 'p95', 'p99', 'p50 above', 'p95 above', 'p99 above'],
      latency.map((row) => [
        row.title, ...[row.p50Ms, row.p95Ms, row.p99Ms].map(({ median }) => median.toFixed(2)),
        ...[row.extraP50Ms, row.extraP95Ms, row.extraP99Ms].map((extra) => withSpread(extra, 2, { isSigned: true }))
      ])
    ),
    throughput('one client, everything refused', refusing),
    throughput('Cluster of one node', cluster),
    ...connections.length === 0 ? [] : [throughput('connections (ratio: of one)', connections)],
    table(
      ['a key, partition of 40 characters', ...new Set(bytes.map((row) => `bytes, ${row.window}`))],
      [...new Set(bytes.map((row) => row.algorithm))].map((algorithm) =>
        [algorithm === 'sliding-window' ? 'sliding-window, saturated' : algorithm, ...bytes.filter((row) => row.algorithm === algorithm).map((row) => row.bytes)])
    )
  ].join('\n\n')
}

function lease ({ settings, version, races, takes }) {
  const ms = (...figures) => figures.map(({ median }) => median.toFixed(1)).join(' / ')
  return [
    '#### Leases',
    `Redis ${version} on the same machine, without persistence; ${settings.connections} keep-alive connections, ${settings.rounds} rounds of ${settings.seconds} s ` +
    `(${settings.shortRounds} without rivals), each after ${settings.leadInSeconds} s of the same load, in new processes after every ${settings.roundsPerProcess}. ` +
    'Ratios are medians of the rounds\' own ratios, times are per request.',
    ...Object.entries(races).map(([kind, rows]) => table(
      [
        traffic[kind].title, 'requests per second', 'of the memory store', 'of exact checks', 'µs of the server', 'of the memory store',
        'script calls per request', 'µs of Redis', 'p50 / p95 / p99, ms', 'p99 above the memory store',
        ...traffic[kind].isRefusing ? ['granted, of what is due'] : []
      ],
      rows.map((row) => [
        row.title, countWithSpread(row.perSecond), withSpread(row.ratio, 2), withSpread(row.ratioOfBaseline, 2), row.cpuUs.median.toFixed(1), withSpread(row.cpuRatio, 2),
        row.calls.median.toFixed(4), row.redisCpuUs.median.toFixed(2), ms(row.p50Ms, row.p95Ms, row.p99Ms), withSpread(row.extraP99Ms, 1, { isSigned: true }),
        ...traffic[kind].isRefusing ? [withSpread(row.passedOfDue, 3)] : []
      ])
    )),
    table(
      ['one charge, answered in the same turn', 'keys', 'ns'],
      takes.map((row) => [row.title, count(row.keys), countWithSpread(row.ns)])
    )
  ].join('\n\n')
}

function start ({ settings, rows }) {
  const ratio = (figure) => withSpread(figure.ratio, 2)
  return [
    '#### Start',
    `A new process imports Fastify, then the package, registers it and answers one request; ${settings.rounds} rounds. Processor time and memory are those of the whole process. ` +
    'Ratios to @fastify/rate-limit are medians of the rounds\' own ratios.',
    table(
      ['', 'import, ms', 'ratio', 'of that processor, ms', 'ratio', 'processor time, ms', 'ratio', 'resident, MiB', 'ratio'],
      rows.map(({ name, importMs, importCpuMs, cpuMs, residentMiB }) => [
        name === 'none' ? 'Fastify alone' : name,
        importMs.median.toFixed(0), ratio(importMs), importCpuMs.median.toFixed(0), ratio(importCpuMs), cpuMs.median.toFixed(0), ratio(cpuMs), residentMiB.median.toFixed(0), ratio(residentMiB)
      ])
    )
  ].join('\n\n')
}

function simulate ({ settings, rows }) {
  return [
    '#### Simulate',
    `Lines of a log of ${count(settings.requests)} requests per second of processor time, ${settings.rounds} rounds. Start and report are part of it.`,
    table(['format', 'lines per second', 'resident memory, MiB'], rows.map((row) => [row.format, countWithSpread(row.perSecond), withSpread(row.residentMiB, 0)]))
  ].join('\n\n')
}

function adaptive ({ settings: { workers, serviceMs, perSecond, premiumShare, goodMs, seconds }, rows }) {
  const percent = (share) => `${(100 * share).toFixed(0)} %`
  const describePhase = (phase) => table(
    ['', `answers within ${goodMs} ms, per second`, 'of premium', 'p99 of premium, ms', 'premium refused', 'standard refused'],
    rows.map(({ title, [phase]: row }) => [
      title, count(row.goodPerSecond), percent(row.premiumGood), row.premiumP99Ms === null ? '' : count(row.premiumP99Ms), percent(row.premiumRefused), percent(row.standardRefused)
    ])
  )
  const capacity = workers * 1000 / serviceMs
  return [
    '#### Overload',
    `${count(perSecond)} requests per second, ${percent(premiumShare)} of them premium, for a handler that can serve ${count(capacity)} (${workers} workers of ${serviceMs} ms); ${seconds} s.`,
    describePhase('before'),
    `The same for the next ${seconds} s, with half of the workers.`,
    describePhase('after')
  ].join('\n\n')
}
