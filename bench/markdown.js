/** A Markdown table; the first column is text, the others are numbers. */
export function table (headings, rows) {
  return [
    line(headings),
    line(headings.map((_, column) => column === 0 ? '---' : '---:')),
    ...rows.map(line)
  ].join('\n')
}

function line (cells) {
  return `| ${cells.join(' | ')} |`
}

/** The median, and the quartiles around it. */
export function withSpread ({ median, low, high }, digits, { isSigned = false } = {}) {
  const text = (value) => (isSigned && value > 0 ? '+' : '') + value.toFixed(digits)
  return `${text(median)} (${text(low)} – ${text(high)})`
}

export function count (value) {
  return Math.round(value).toLocaleString('en')
}

export function countWithSpread ({ median, low, high }) {
  return `${count(median)} (${count(low)} – ${count(high)})`
}
