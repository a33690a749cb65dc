//! A frame and tables that show a fault: random ones are tried on numbers, since most faults are soon seen that way.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    image::Image,
    kernel::states,
    programs,
    random::Random,
    world::{Ending, Numbers},
};

/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often before other numbers are filled in.
const EACH: u64 = 100;
const CPUS: u64 = 2;

/// What both programs are run on, whole or without their fast paths. `None`: they did the same on all that was tried.
pub fn example(image: &Image, changed: &Image, program: &str, is_general: bool) -> Result<Option<Numbers>> {
    let entry = image.function(program)?;
    let cut = |image: &Image| if is_general { image.without_fast_path(entry) } else { Ok(image.clone()) };
    let (image, changed) = (cut(image)?, cut(changed)?);
    let (start, mut random) = (Instant::now(), Random(1));
    while start.elapsed() < PATIENCE {
        let mut world = states::numbers(&mut random, CPUS, programs::find(program)?.kind);
        for _ in 0..EACH {
            states::fill(&mut random, &mut world, CPUS, false);
            if random.chance(50) {
                spoil(&mut random, &mut world.frame);
            }
            let ending = world.run(&image, entry, &[], None);
            let is_sound = matches!(ending, Ending::Decided { .. });
            if is_sound && world.run(&changed, entry, &[], None) != ending {
                return Ok(Some(world));
            }
        }
    }
    Ok(None)
}

/// Changes a bit, or a byte, of the headers.
fn spoil(random: &mut Random, frame: &mut [u8]) {
    const HEADERS: usize = 80;
    let length = frame.len().min(HEADERS);
    if length > 0 {
        let byte = &mut frame[random.below(length as u64) as usize];
        *byte = if random.chance(50) { *byte ^ 1 << random.below(8) } else { random.next() as u8 };
    }
}
