"""What everything else stands on: errors, whole files, the manifest, and text from outside made safe to print."""
