import { durationMs } from '../../config/schema/durations.js'

/** The arguments of `simulate`. */
export interface SimulateOptions {
  /** Files, or `-` for standard input; one or more. */
  readonly logs: readonly string[]
  /** `null`: the built-in policies. */
  readonly config: string | null
  readonly against: string | null
  readonly flips: string | null
  readonly env: boolean
  readonly format: 'text' | 'json' | 'html'
  /** Shares of clients that may be refused, for the advice; 0 to 1. */
  readonly shares: readonly number[]
  /** Highest share of refused requests; `null`: any. */
  readonly failOver: number | null
  /** Highest share of clients that are ever refused; `null`: any. */
  readonly failOverClients: number | null
  readonly reorderMs: number
  readonly hash: boolean
}

export const SIMULATE_OPTIONS = {
  log: { type: 'string', multiple: true },
  config: { type: 'string' },
  against: { type: 'string' },
  flips: { type: 'string' },
  share: { type: 'string', multiple: true },
  'fail-over': { type: 'string' },
  'fail-over-clients': { type: 'string' },
  reorder: { type: 'string' },
  hash: { type: 'boolean' },
  html: { type: 'boolean' }
} as const

type SimulateName = keyof typeof SIMULATE_OPTIONS

export const SIMULATE_NAMES = Object.keys(SIMULATE_OPTIONS) as SimulateName[]

/** What `parseArgs` returns. */
export type OptionValues = Readonly<Record<string, unknown>>

const DEFAULT_SHARES = [0.01, 0.001, 0.0001]
const DEFAULT_REORDER = '10s'
const MAX_REORDER_MS = 3_600_000

/** Read the options, or return what is wrong with them. `configFile`: used if they name none. */
export function readSimulateOptions (values: OptionValues, configFile: string | null): SimulateOptions | string {
  const logs = readTexts(values.log)
  const [config, against, flips, reorder] = (['config', 'against', 'flips', 'reorder'] as const).map((name) => {
    return readTexts(values[name]).at(-1) ?? null
  })
  const shares = readTexts(values.share).map(parseShare)
  const [failOver, failOverClients] = (['fail-over', 'fail-over-clients'] as const).map((name) => {
    const [text] = readTexts(values[name])
    return text === undefined ? undefined : parseShare(text)
  })
  const reorderMs = durationMs(reorder ?? DEFAULT_REORDER)
  if (logs.length === 0) return 'simulate needs --log with the path of a log, or - for standard input'
  if ([...logs, config, against, flips].includes('')) return 'the path of a file is empty'
  if (logs.filter((log) => log === '-').length > 1) return '--log - can be given once'
  if ([...shares, failOver, failOverClients].includes(null)) return 'a share is a number such as 0.1% or 0.001, from 0% to 100%'
  if (reorderMs === null || reorderMs > MAX_REORDER_MS) return '--reorder takes a duration such as 10s, up to an hour'
  if (flips !== null && against === null) return '--flips needs --against'
  if (values.json === true && values.html === true) return '--json and --html exclude each other'
  const given = shares.filter((share) => share !== null)
  return {
    logs,
    config: config ?? configFile,
    against,
    flips,
    env: values.env === true,
    format: values.json === true ? 'json' : values.html === true ? 'html' : 'text',
    shares: given.length === 0 ? DEFAULT_SHARES : given,
    failOver: failOver ?? null,
    failOverClients: failOverClients ?? null,
    reorderMs,
    hash: values.hash === true
  }
}

function readTexts (value: unknown): string[] {
  return [value].flat().filter((text) => typeof text === 'string')
}

/** `0.5%` or `0.005`. `null` if it is no share. */
function parseShare (text: string): number | null {
  const number = /^\d+(?:\.\d+)?%?$/.test(text) ? parseFloat(text) : NaN
  const share = text.endsWith('%') ? number / 100 : number
  return share >= 0 && share <= 1 ? share : null
}
