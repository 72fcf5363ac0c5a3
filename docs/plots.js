/**
 * Makes the plots of docs/algorithms.md, and the table beside them, by sending the same traffic through each algorithm.
 *
 *   node docs/plots.js           writes them
 *   node docs/plots.js --check   exits 1 when they are not current
 */
import { keep, keepParts } from './generated.js'
import { figure } from './plots/svg.js'
import { mostWithin, requests, send } from './plots/traffic.js'

const ALGORITHMS = ['fixed-window', 'sliding-window', 'token-bucket']
const LIMIT = { max: 10, windowSeconds: 10 }

/** One request opens the window; a client that knows of its end asks 13 times before it and 13 times after. */
const aroundTheEdge = [0, ...requests(8.96, 26, 0.08)]
const overload = requests(0, 120, 0.25)
/** A page with ten pictures, and after five seconds another. */
const pages = [...requests(1, 10, 0.05), ...requests(6, 10, 0.05)]

function throughEach (arrivals, limit = LIMIT) {
  return ALGORITHMS.map((algorithm) => ({ title: algorithm, results: send(arrivals, { ...limit, algorithm }) }))
}

const edge = throughEach(aroundTheEdge)
const steady = throughEach(overload)

keep('docs/plots/edge.svg', figure({
  title: '27 requests around the edge of a window, limit 10 per 10 s: how many passed in the last 10 s',
  description: described(edge),
  panels: edge,
  seconds: 22,
  everySeconds: 2,
  count: { ...LIMIT, top: 20 }
}))

keep('docs/plots/overload.svg', figure({
  title: '4 requests a second for 30 s, limit 10 per 10 s: how many passed in the last 10 s',
  description: described(steady),
  panels: steady,
  seconds: 30,
  everySeconds: 5,
  count: { ...LIMIT, top: 20 }
}))

const RATE = { algorithm: 'token-bucket', max: 20, windowSeconds: 10 }
const bursts = [
  { title: 'burst: 20 (max, if nothing is said)', results: send(pages, RATE) },
  { title: 'burst: 3', results: send(pages, { ...RATE, burst: 3 }) },
  { title: "burst: 3, throttle: { maxDelay: '4s' }", results: send(pages, { ...RATE, burst: 3, maxDelaySeconds: 4 }) }
]

keep('docs/plots/burst.svg', figure({
  title: 'Ten requests at once, twice, through token buckets of 20 per 10 s',
  description: described(bursts),
  panels: bursts,
  seconds: 12,
  everySeconds: 1
}))

keepParts('docs/algorithms.md', {
  'edge-table': [
    '| algorithm | let through of 27 | most within any 10 s | most within any 2 s |',
    '|---|---:|---:|---:|',
    ...edge.map(({ title, results }) => `| \`'${title}'\` | ${passed(results)} | ${mostWithin(results, 10)} | ${mostWithin(results, 2)} |`)
  ].join('\n'),
  'overload-table': [
    '| algorithm | let through of 120 | most within any 10 s | most within any 2 s |',
    '|---|---:|---:|---:|',
    ...steady.map(({ title, results }) => `| \`'${title}'\` | ${passed(results)} | ${mostWithin(results, 10)} | ${mostWithin(results, 2)} |`)
  ].join('\n')
})

function passed (results) {
  return results.filter(({ outcome }) => outcome !== 'refused').length
}

/** The figure in a sentence for each panel, for those who cannot see it. */
function described (panels) {
  return panels.map(({ title, results }) => `${title}: ${passed(results)} of ${results.length} passed.`).join(' ')
}
