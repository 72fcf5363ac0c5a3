/** A point of a plot. */
export interface Point {
  readonly label: string
  readonly value: number
  /** The part of `value` that is drawn in the second colour. */
  readonly marked?: number
}

const WIDTH = 860
const HEIGHT = 200
const LEFT = 70
const BOTTOM = 24

/** A bar for each point. `title`: for readers of the screen. */
export function drawBars (title: string, points: readonly Point[]): string {
  const highest = Math.max(1, ...points.map(({ value }) => value))
  const step = (WIDTH - LEFT) / Math.max(1, points.length)
  const toHeight = (value: number) => round(value / highest * (HEIGHT - BOTTOM - 10))
  const bars = points.map(({ label, value, marked = 0 }, index) => {
    const x = round(LEFT + index * step)
    const width = round(Math.max(1, step - 1))
    const draw = (height: number, kind: string) => {
      return `<rect class="${kind}" x="${x}" y="${round(HEIGHT - BOTTOM - height)}" width="${width}" height="${height}"/>`
    }
    return `<g><title>${escapeHtml(label)}</title>${draw(toHeight(value), 'all')}${draw(toHeight(marked), 'refused')}</g>`
  })
  return wrap(title, highest, points, bars.join(''))
}

/** A curve through the points. `mark`: a value with a line of its own. */
export function drawCurve (title: string, points: readonly Point[], mark: number): string {
  const highest = Math.max(1, mark, ...points.map(({ value }) => value))
  const step = (WIDTH - LEFT) / Math.max(1, points.length - 1)
  const toY = (value: number) => round(HEIGHT - BOTTOM - value / highest * (HEIGHT - BOTTOM - 10))
  const path = points.map(({ value }, index) => `${index === 0 ? 'M' : 'L'}${round(LEFT + index * step)} ${toY(value)}`).join('')
  const line = `<path class="mark" d="M${LEFT} ${toY(mark)}L${WIDTH} ${toY(mark)}"/>`
  return wrap(title, highest, points, `${line}<path class="curve" d="${path}"/>`)
}

function wrap (title: string, highest: number, points: readonly Point[], content: string): string {
  const [first, last] = [points[0]?.label ?? '', points.at(-1)?.label ?? '']
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">` +
    `<text x="${LEFT - 6}" y="14" text-anchor="end">${Math.round(highest)}</text>` +
    `<text x="${LEFT - 6}" y="${HEIGHT - BOTTOM}" text-anchor="end">0</text>${content}` +
    `<text x="${LEFT}" y="${HEIGHT - 6}">${escapeHtml(first)}</text>` +
    `<text x="${WIDTH}" y="${HEIGHT - 6}" text-anchor="end">${escapeHtml(last)}</text></svg>`
}

function round (number: number): number {
  return Math.round(number * 10) / 10
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml (text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character])
}
