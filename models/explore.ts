/** A model: a start, the steps that can follow each state, and a number that must stay within a bound. */
export interface Model<State> {
  readonly start: State
  /** Call `visit` for each state that can come next, with the name of the step. A visited state is not changed afterwards. */
  next (state: State, visit: (state: State, step: string) => void): void
  /** States with equal keys are one state. */
  key (state: State): string
  /** How far the state is from its bound. Below 0: the bound is broken. */
  slack (state: State): number
}

export interface Exploration {
  readonly states: number
  /** The smallest slack of all states. 0: the bound is reached. */
  readonly slack: number
  /** The steps of a shortest way to a state that breaks the bound, or null. */
  readonly trace: readonly string[] | null
  /** How often each step was taken. */
  readonly steps: ReadonlyMap<string, number>
}

/** A state, and how it was reached. */
interface Visit<State> {
  readonly state: State
  readonly way: Way | null
}

interface Way {
  readonly before: Way | null
  readonly step: string
}

/**
 * Visit all states of a model, breadth first, until one breaks its bound. So the trace of a violation is as short as possible.
 * Throws if there are more than `maxStates`: a result is always one of all states.
 */
export function explore<State> (model: Model<State>, maxStates = 5_000_000): Exploration {
  const seen = new Set([model.key(model.start)])
  const steps = new Map<string, number>()
  let slack = model.slack(model.start)
  let frontier: Array<Visit<State>> = [{ state: model.start, way: null }]
  while (frontier.length > 0) {
    const fresh: Array<Visit<State>> = []
    for (const { state, way } of frontier) {
      model.next(state, (state, step) => {
        steps.set(step, (steps.get(step) ?? 0) + 1)
        const key = model.key(state)
        if (seen.has(key)) return
        seen.add(key)
        slack = Math.min(slack, model.slack(state))
        fresh.push({ state, way: { before: way, step } })
      })
      if (slack < 0) {
        const broken = fresh.find(({ state }) => model.slack(state) < 0)
        return { states: seen.size, slack, trace: listSteps(broken?.way ?? null), steps }
      }
      if (seen.size > maxStates) throw new RangeError(`The model has more than ${maxStates} states.`)
    }
    frontier = fresh
  }
  return { states: seen.size, slack, trace: null, steps }
}

function listSteps (way: Way | null): string[] {
  const steps: string[] = []
  for (let at = way; at !== null; at = at.before) steps.unshift(at.step)
  return steps
}
