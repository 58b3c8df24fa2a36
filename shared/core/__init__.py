"""What everything else uses: errors, complete files, the manifest, and text from outside made safe to print."""
