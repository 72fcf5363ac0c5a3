import { escapeUnprintable } from '../../../common/printable.js'
import { describeNumbers, formatCount, formatShare, nameLimit } from './format-text.js'
import type { EffectReport, FlipReport, LimitReport, SimulationReport } from './report.js'
import { drawBars, drawCurve, escapeHtml } from './svg.js'

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{padding:.2rem .6rem;border-bottom:1px solid #8884;text-align:left;overflow-wrap:anywhere}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{width:100%;height:auto;font-size:11px}svg text{fill:currentColor}
.all{fill:#7aa2d6}.refused{fill:#d9534f}.curve{fill:none;stroke:#2b6cb0;stroke-width:2}.mark{stroke:#d9534f;stroke-dasharray:5 4}
.no{color:#c0392b;font-weight:600}.warning{border-left:4px solid #e0a800;padding-left:.6rem}`

const ADVICE_HEADINGS = ['Share', 'max', 'or burst, with the present max']

/** The report as one page that loads nothing. */
export function formatHtml ({ ok, log, warnings, config, against, flips }: SimulationReport): string {
  const { lines, requests, bad, from, to, files } = log
  const span = from === null || to === null ? '' : `, from ${from} to ${to}`
  const head = `<p>${toHtml(files.join(', '))}: ${formatCount(lines)} lines, ${formatCount(requests)} requests, ` +
    `${formatCount(bad)} lines not understood${span}.</p>`
  const body = [
    '<h1>Rate limits, simulated</h1>',
    head,
    ...(ok ? [] : ['<p class="no">More was refused than allowed by --fail-over, or a log could not be read.</p>']),
    ...warnings.map((warning) => `<p class="warning">${toHtml(warning)}</p>`),
    ...drawEffect(config),
    ...(against === null ? [] : [summarize('Compared with', against)]),
    ...(flips === null ? [] : listFlips(flips))
  ]
  return '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    `<title>Rate limits, simulated</title><style>${STYLE}</style></head><body>\n${body.join('\n')}\n</body></html>`
}

function drawEffect (effect: EffectReport): string[] {
  const { hours, limits, routes, tiers, topClients } = effect
  const points = hours.map(({ hour, requests, refused }) => ({
    label: `${hour}: ${refused} of ${requests} refused`, value: requests, marked: refused
  }))
  return [
    summarize('Policies of', effect),
    '<h2>Requests by hour</h2><p>Red: refused.</p>',
    drawBars('Requests by hour, with those refused', points),
    table('By limit', ['Limit', 'Allows', 'Requests', 'Refused', 'Share'], 2, limits.map((limit) => [
      nameLimit(limit), describeNumbers(limit), formatCount(limit.requests), formatCount(limit.refused), formatShare(limit.share)
    ])),
    table('Refused most, by route', ['Route', 'Refused'], 1, routes.map(({ route, refused }) => [route, formatCount(refused)])),
    table('By tier', ['Tier', 'Requests', 'Refused', 'Share'], 1, tiers.map(({ tier, requests, refused, share }) => [
      tier, formatCount(requests), formatCount(refused), formatShare(share)
    ])),
    table('Refused most, by client', ['Client', 'Limit', 'Refused', 'Peak', 'Allowed'], 2, topClients.map((client) => [
      client.client, client.limit ?? '', ...[client.refused, client.peak, client.allowed].map(formatKnown)
    ])),
    ...limits.map(drawLimit)
  ]
}

function drawLimit (limit: LimitReport): string {
  const { peaks, advice, max, burst } = limit
  if (peaks === null) return ''
  const last = peaks.curve.length - 1
  const points = peaks.curve.map((value, index) => ({ label: `${Math.round(index / last * 100)} % of clients`, value }))
  return `<h2>${toHtml(nameLimit(limit))}: highest demand of each client in one window</h2>` +
    `<p>${formatCount(peaks.clients)} clients, in the order of their demand. Dashed: what the limit allows.</p>` +
    drawCurve(`Demand of clients of ${nameLimit(limit)}`, points, Math.max(max, burst)) +
    table('To refuse at most this share of clients, set either', ADVICE_HEADINGS, 0, advice.map((one) => [
      formatShare(one.share), formatCount(one.max), formatKnown(one.burst)
    ]))
}

function summarize (title: string, { config, requests, clients }: EffectReport): string {
  return `<h2>${title} ${toHtml(config ?? 'the built-in defaults')}</h2>` +
    `<p><b>${formatShare(requests.share)}</b> of requests refused ` +
    `(${formatCount(requests.refused)} of ${formatCount(requests.requests)}). ` +
    `<b>${formatShare(clients.share)}</b> of clients refused at least once ` +
    `(${formatCount(clients.refused)} of ${formatCount(clients.count)}); ` +
    `${formatCount(clients.probablyHonest)} of them asked for at most twice what is allowed.</p>`
}

function listFlips ({ newlyRefused, newlyAllowed, routes, first }: FlipReport): string[] {
  return [
    `<p><b>${formatCount(newlyRefused)}</b> requests newly refused, <b>${formatCount(newlyAllowed)}</b> newly allowed.</p>`,
    table('Decided differently, by route', ['Route', 'Requests'], 1, routes.map(({ route, flips }) => [route, formatCount(flips)])),
    table('The first ones', ['Client', 'Request', 'Before', 'After', 'Line'], 4, first.map((flip) => {
      return [flip.client, flip.request, flip.before, flip.after, String(flip.line)]
    }))
  ]
}

/** `numbersFrom`: the first column of numbers. */
function table (title: string, headings: readonly string[], numbersFrom: number, rows: ReadonlyArray<readonly string[]>): string {
  if (rows.length === 0) return ''
  const toRow = (cells: readonly string[], tag: string) => {
    return `<tr>${cells.map((cell, index) => `<${tag}${index < numbersFrom ? '' : ' class="n"'}>${toHtml(cell)}</${tag}>`).join('')}</tr>`
  }
  return `<h3>${toHtml(title)}</h3><table>${toRow(headings, 'th')}${rows.map((row) => toRow(row, 'td')).join('')}</table>`
}

/** Empty for what is not known. */
function formatKnown (count: number | null): string {
  return count === null ? '' : formatCount(count)
}

function toHtml (text: string): string {
  return escapeHtml(escapeUnprintable(text))
}
