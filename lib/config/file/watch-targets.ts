import { lstat, readlink, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, parse, sep } from 'node:path'

/** A directory or file whose events may mean that a path leads to something else now. */
export interface WatchTarget {
  readonly path: string
  /** Differs when another directory or file has taken the path. */
  readonly identity: string
}

/** As many as Linux follows. */
const MAX_LINKS = 40

/**
 * Where a change of what is behind an absolute path shows: the directory of each symbolic link on the way, the
 * directory of the file, and the file. Where the path breaks off: the last directory that is there. Never rejects.
 *
 * A file system's root is left out: it is busy, its links are not swapped while programs run, and on macOS watching it
 * would mean to hear of every file on the disk.
 */
export async function findWatchTargets (path: string): Promise<WatchTarget[]> {
  const targets = new Map<string, WatchTarget>()
  const add = async (targetPath: string): Promise<void> => {
    if (dirname(targetPath) === targetPath || targets.has(targetPath)) return
    const identity = await readIdentity(targetPath)
    if (identity !== null) targets.set(targetPath, { path: targetPath, identity })
  }

  let at = parse(path).root
  const pendingSteps = splitPath(path)
  for (let links = 0, step = pendingSteps.pop(); step !== undefined && links <= MAX_LINKS; step = pendingSteps.pop()) {
    // `at` holds no links any more, so going up is what its name says.
    if (step === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, step)
    const kind = await readKind(next)
    if (kind === 'link' || pendingSteps.length === 0) await add(at)
    if (kind === 'missing') break
    if (kind === 'entry') {
      at = next
      continue
    }
    links++
    const target = await readlink(next).catch(() => '')
    if (isAbsolute(target)) at = parse(target).root
    pendingSteps.push(...splitPath(target))
  }
  // The file for itself too: one that is mounted alone into a container is in no directory's events, and kqueue tells
  // of writes only to those who watch the file. Where the path broke off, this is how far it goes.
  await add(at)
  return [...targets.values()]
}

/** The names on the way, the last one first. */
function splitPath (path: string): string[] {
  return path.slice(parse(path).root.length).split(sep === '/' ? sep : /[\\/]/).filter((step) => step !== '' && step !== '.').reverse()
}

async function readKind (path: string): Promise<'entry' | 'link' | 'missing'> {
  try {
    return (await lstat(path)).isSymbolicLink() ? 'link' : 'entry'
  } catch {
    return 'missing'
  }
}

async function readIdentity (path: string): Promise<string | null> {
  try {
    const { dev, ino, birthtimeNs } = await stat(path, { bigint: true })
    // A directory that is deleted and created again often gets the same inode number.
    return `${path}:${dev}:${ino}:${birthtimeNs}`
  } catch {
    return null
  }
}
