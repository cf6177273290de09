/** Labels of our containers and leases in containerd: the task's id, and the container's name in its task definition. */
export const taskLabel = 'longshore.io/task';
export const nameLabel = 'longshore.io/name';
