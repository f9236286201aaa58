// Names of classes that a person typed and has not yet taught: the daemon learns of a class with its first sample. Kept for
// the tab, by task.

/** `storage` is the tab's, and may refuse. */
export function names(storage) {
  const kept = new Map();
  const key = (task) => `names of ${task}`;
  const of = (task) => {
    if (!kept.has(task)) {
      let found = [];
      try {
        found = JSON.parse(storage.getItem(key(task)) ?? "[]");
      } catch {
        // A tab that may not keep anything keeps it until it is closed.
      }
      kept.set(task, Array.isArray(found) ? found.map(String) : []);
    }
    return kept.get(task);
  };
  const add = (task, name) => {
    if (of(task).includes(name)) return;
    kept.set(task, [...of(task), name]);
    try {
      storage.setItem(key(task), JSON.stringify(kept.get(task)));
    } catch {
      // As above.
    }
  };
  return { of, add };
}
