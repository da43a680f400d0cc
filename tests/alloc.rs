//! The number of allocations does not grow with the number of sockets.
