import { toPrintable } from '../../common/printable.js'
import { FST_SLUICE_CONTRADICTION } from '../../errors.js'

/** Longest name in a message. A name that is too long has an error of its own. */
const MAX_NAME_LENGTH = 64

/** An entry with the name of an earlier entry. */
export interface DuplicateName {
  readonly name: string
  readonly index: number
  /** The first entry with this name. */
  readonly firstIndex: number
}

/** Every entry whose name an earlier entry has. `names`: of each entry, `undefined` for an entry without one. */
export function findDuplicateNames (names: readonly unknown[]): DuplicateName[] {
  const indexByName = new Map<unknown, number>()
  return names.flatMap((name, index) => {
    if (name === undefined) return []
    const firstIndex = indexByName.get(name)
    if (firstIndex !== undefined) return [{ name: String(name), index, firstIndex }]
    indexByName.set(name, index)
    return []
  })
}

/** `place`: of the name that is there already. `firstPlace`: of the first entry with it. */
export function createDuplicateNameError (place: string, firstPlace: string, name: string): Error {
  return new FST_SLUICE_CONTRADICTION(place, `${firstPlace} has the name "${toPrintable(name, MAX_NAME_LENGTH)}" already`)
}
