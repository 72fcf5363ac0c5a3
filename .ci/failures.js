// Reads tap's results file, in which a subtest's lines stand four spaces further in than it.

// How the file was started, and what the titles or the code itself say already.
const unneeded = ['source', 'args', 'command', 'stdio', 'cwd', 'externalID', 'jobId']

const mostLinesEach = 40

function withoutUnneeded (yaml) {
  let isNeeded = true
  return yaml.filter((line) => {
    const key = line.match(/^ {2}(\w+):/)?.[1]
    if (key !== undefined) isNeeded = !unneeded.includes(key)
    return isNeeded
  })
}

// What tap says between `---` and `...` below an assertion that is so far in.
function diagnosticsOf (lines, index, indent) {
  if (lines[index + 1]?.trim() !== '---') return []
  const end = lines.indexOf(`${' '.repeat(indent)}  ...`, index)
  return withoutUnneeded(lines.slice(index + 2, end === -1 ? undefined : end).map((line) => line.slice(indent)))
}

function shortened (lines, most) {
  return lines.length > most ? [...lines.slice(0, most), `(${lines.length - most} lines more)`] : lines
}

/** Lines that tell what failed: the titles it stands under, its file first, and what tap found out about it. */
export function failuresIn (tap, mostLines) {
  const lines = tap.split('\n')
  const titles = []
  const told = []
  let failedAt = 0
  for (const [index, line] of lines.entries()) {
    const [, begun, title] = line.match(/^( *)# Subtest: (.*)$/) ?? []
    if (title !== undefined) titles[begun.length / 4] = title
    const [, indent, name] = line.match(/^( *)not ok \d+(?: - )?(.*?)(?: # time=.*)?$/) ?? []
    if (name === undefined) continue
    const depth = indent.length / 4
    // A subtest fails with what is in it, which has been told.
    const isTold = failedAt > depth
    failedAt = depth
    if (isTold || / # (?:todo|skip)\b/i.test(line)) continue
    told.push([...titles.slice(0, depth), name].join(' > '), ...shortened(diagnosticsOf(lines, index, indent.length), mostLinesEach), '')
  }
  return shortened(told, mostLines)
}
