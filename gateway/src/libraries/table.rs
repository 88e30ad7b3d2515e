//! The libraries by name, as they are now.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::Library;

/// All libraries by name. Whoever uses one holds it for that time: it may be replaced by another of its name meanwhile.
#[derive(Debug, Default)]
pub struct Libraries(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    current: BTreeMap<String, Arc<Library>>,
    /// Those that were replaced or taken out, and are still in use.
    leaving: Vec<Weak<Library>>,
}

impl Libraries {
    /// The table of these.
    pub fn new(libraries: &[Arc<Library>]) -> Self {
        let entry = |library: &Arc<Library>| (library.name.clone(), Arc::clone(library));
        let current = libraries.iter().map(entry).collect();
        Self(RwLock::new(Table { current, leaving: Vec::new() }))
    }

    /// The library of that name, as it is now.
    pub fn get(&self, name: &str) -> Option<Arc<Library>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).current.get(name).cloned()
    }

    /// Whether it is what its name stands for now.
    pub fn is_current(&self, library: &Arc<Library>) -> bool {
        self.get(&library.name).is_some_and(|current| Arc::ptr_eq(&current, library))
    }

    /// All of them, by name, as they are now.
    pub fn all(&self) -> Vec<Arc<Library>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).current.values().cloned().collect()
    }

    /// All of them, and those that were replaced and still run something: a call that was made may be there.
    pub fn in_use(&self) -> Vec<Arc<Library>> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.current.values().cloned().chain(table.leaving.iter().filter_map(Weak::upgrade)).collect()
    }

    /// Puts these in the place of those of their names, and takes those out whose names are `removed`: all at once. Gives
    /// those that are not in the table any more.
    pub fn swap(&self, new: &[Arc<Library>], removed: &[String]) -> Vec<Arc<Library>> {
        // Nothing between the first change and the last one can panic.
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut old: Vec<_> = removed.iter().filter_map(|name| table.current.remove(name)).collect();
        old.extend(new.iter().filter_map(|library| table.current.insert(library.name.clone(), Arc::clone(library))));
        table.leaving.retain(|library| library.strong_count() > 0);
        table.leaving.extend(old.iter().map(Arc::downgrade));
        old
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::library;
    use super::*;

    #[test]
    fn a_library_that_was_replaced_is_known_for_as_long_as_somebody_holds_it() {
        let first = Arc::new(library("int Add(int a, int b);"));
        let libraries = Libraries::new(&[Arc::clone(&first)]);
        let second = Arc::new(library("int Add(int a);"));
        let old = libraries.swap(&[Arc::clone(&second)], &[]);
        assert!(old.len() == 1 && Arc::ptr_eq(&old[0], &first));
        assert!(libraries.is_current(&second) && !libraries.is_current(&first));
        assert_eq!((libraries.all().len(), libraries.in_use().len()), (1, 2));
        drop((old, first));
        assert_eq!(libraries.in_use().len(), 1);
        libraries.swap(&[], &["calc".to_owned()]);
        assert!(libraries.get("calc").is_none() && libraries.all().is_empty());
    }
}
